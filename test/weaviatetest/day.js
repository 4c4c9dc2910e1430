// A working day of Weaviate's own JavaScript client: day.js HTTP-PORT GRPC-PORT TOKEN javascript. Prints what it saw, one
// JSON value a line.
const { default: weaviate, ApiKey, Filters } = require('weaviate-client');

const [httpPort, grpcPort, token] = process.argv.slice(2);
const named = (n) => '00000000-0000-0000-0000-' + n.toString(16).padStart(12, '0');
// Members in the order of their names: the server has none of its own.
const sorted = (v) => (v && typeof v === 'object' && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort()) : v);
const say = (...seen) => console.log(JSON.stringify(seen, (k, v) => (k.endsWith('Time') || k === 'explainScore' ? undefined : sorted(v))));
const objects = (answer) => answer.objects.map((o) => [o.uuid, o.properties, o.vectors, o.metadata]);

async function main() {
  const client = await weaviate.connectToCustom({
    httpHost: '127.0.0.1', httpPort: +httpPort, httpSecure: false, grpcHost: '127.0.0.1', grpcPort: +grpcPort, grpcSecure: false,
    authCredentials: new ApiKey(token),
  });
  say('ready', await client.isReady(), (await client.getMeta()).version);
  const c = await client.collections.create({
    name: 'DayJs',
    properties: [
      { name: 'title', dataType: 'text' },
      { name: 'n', dataType: 'int' },
      { name: 'tags', dataType: 'text[]' },
    ],
    vectorizers: weaviate.configure.vectors.selfProvided(),
  });
  const filled = await c.data.insertMany(
    [...Array(10).keys()].map((i) => ({ id: named(i + 1), properties: { title: `text ${i}`, n: i, tags: [`t${i}`] }, vectors: [i, 1.5, -i] })),
  );
  say('filled', filled.hasErrors, Object.keys(filled.uuids).length);
  say('id', await c.query.fetchObjectById(named(3), { includeVector: true }).then((o) => [o.uuid, o.properties, o.vectors]));
  say('page', objects(await c.query.fetchObjects({ limit: 3, offset: 1, sort: c.sort.byProperty('n', false) })));
  say('filter', objects(await c.query.fetchObjects({ filters: c.filter.byProperty('n').equal(7), includeVector: true })));
  say('near', objects(await c.query.nearVector([3, 1.5, -3], { limit: 2, returnMetadata: ['distance'] })));
  say('words', objects(await c.query.bm25('7', { queryProperties: ['title'], limit: 1 })));
  say('hybrid', objects(await c.query.hybrid('7', { vector: [7, 1.5, -7], queryProperties: ['title'], limit: 1 })));
  say('count', (await c.aggregate.overAll()).totalCount, await c.length());
  await c.data.update({ id: named(1), properties: { n: 100 } });
  await c.data.replace({ id: named(2), properties: { title: 'replaced', n: 1 }, vectors: [1, 2, 3] });
  say('updated', await c.query.fetchObjectById(named(1)).then((o) => o.properties), await c.query.fetchObjectById(named(2)).then((o) => o.properties));
  let n = 0;
  for await (const _ of c.iterator()) n++;
  say('all', n);
  say('deleted', await c.data.deleteById(named(1)), await c.data.exists(named(1)));
  say('many', (await c.data.deleteMany(c.filter.byProperty('n').greaterThan(4))).successful, await c.length());
  say('collections', (await client.collections.listAll()).map((x) => x.name).includes('DayJs'), await client.collections.exists('DayJs'));
  await client.collections.delete('DayJs');
  say('dropped', await client.collections.exists('DayJs'));
  await client.close();
}

main().catch((e) => {
  console.error(e.name, e.message);
  process.exit(1);
});
