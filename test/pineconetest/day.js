// A working day of Pinecone's own client for Node: day.js URL TOKEN WHAT. URL is the control plane's. Prints what it saw, one
// JSON value a line.
const { Pinecone } = require('@pinecone-database/pinecone');

const [url, token, what] = process.argv.slice(2);
const pc = new Pinecone({ apiKey: token, controllerHostUrl: url });

const say = (...seen) => console.log(JSON.stringify(seen));
const record = (r) => [r.id, r.values ?? [], r.metadata ?? null];
const attempt = async (name, call) => {
  try {
    say(name, (await call()) ?? null);
  } catch (e) {
    say(name, e.name, e.message.replace(/http:\/\/127\.0\.0\.1:\d+/g, 'URL'));
  }
};

const fill = async (ns) =>
  ns.upsert({
    records: Array.from({ length: 20 }, (_, i) => ({
      id: `doc${i % 3}#${i}`, values: [i + 1, 1.5, -i], metadata: { email: `person${i}@example.com`, n: i, tags: ['a', 'b'] },
    })),
  });

const days = {
  async everything() {
    await pc.createIndex({ name: 'docs', dimension: 3, metric: 'cosine', spec: { serverless: { cloud: 'aws', region: 'us-east-1' } } });
    say('indexes', (await pc.listIndexes()).indexes.map((i) => i.name));
    const index = pc.index({ name: 'docs' });
    const ns = index.namespace('people');
    await fill(ns);
    say('stats', (await index.describeIndexStats()).totalRecordCount);
    const q = await ns.query({ vector: [1, 1, 1], topK: 3, includeValues: true, includeMetadata: true, filter: { n: { $gte: 3 } } });
    say('query', q.matches.map((m) => [...record(m), m.score.toFixed(4)]));
    const f = await ns.fetch({ ids: ['doc0#3', 'doc1#1', 'none'] });
    say('fetch', Object.values(f.records).map(record));
    say('list', (await ns.listPaginated({ prefix: 'doc1#', limit: 5 })).vectors.map((v) => v.id));
    await ns.update({ id: 'doc0#3', metadata: { n: 100 } });
    await ns.deleteOne({ id: 'doc0#0' });
    await ns.deleteMany({ filter: { n: { $lt: 4 } } });
    say('left', (await index.describeIndexStats()).namespaces.people.recordCount);
    say('namespaces', (await index.listNamespaces()).namespaces.map((n) => n.name));
    await attempt('odd', () => ns.query({ vector: [1], topK: 1 }));
    await attempt('not there', () => pc.describeIndex('nothing'));
    await ns.deleteAll();
    await ns.upsertRecords({ records: [{ _id: 't1', chunk_text: 'one text' }, { _id: 't2', chunk_text: 'two' }] });
    const hits = await ns.searchRecords({ query: { topK: 1, inputs: { text: 'two' } } });
    say('records', hits.result.hits.map((h) => [h._id, h.fields]));
    await pc.deleteIndex('docs');
    await attempt('dropped', () => pc.describeIndex('docs'));
  },
  async look() {
    const ns = pc.index({ name: 'docs' }).namespace('people');
    const q = await ns.query({ vector: [3, 1.5, -3.001], topK: 1, includeValues: true, includeMetadata: true });
    say('query', q.matches.map((m) => [...record(m), m.score]));
    say('fetch', Object.values((await ns.fetch({ ids: ['doc0#3'] })).records).map(record));
    await attempt('by email', () => ns.query({ vector: [1, 1, 1], topK: 1, filter: { email: 'person3@example.com' } }));
    await attempt('empty', () => ns.deleteAll());
    await attempt('drop', () => pc.deleteIndex('docs'));
  },
  async upsert() {
    await attempt('upsert', () => pc.index({ name: 'docs' }).namespace('people').upsert({ records: [{ id: 'new', values: [1, 2, 3] }] }));
  },
  async count() {
    say('count', (await pc.index({ name: 'docs' }).describeIndexStats()).totalRecordCount);
  },
};

days[what]();
