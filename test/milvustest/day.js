// A working day of Milvus' own client for Node: day.js ADDRESS TOKEN WHAT. Prints what it saw, one JSON value a line.
const { MilvusClient, DataType } = require('@zilliz/milvus2-sdk-node');

const [address, token, what] = process.argv.slice(2);
const round = (k, v) => (typeof v === 'number' && !Number.isInteger(v) ? Math.round(v * 1e4) / 1e4 : v);
const say = (...seen) => console.log(JSON.stringify(seen, round));
const attempt = async (name, call) => {
  try {
    say(name, await call());
  } catch (e) {
    say(name, 'error', e.details || e.message);
  }
};
const brief = (r) => ({ code: r.status.code, reason: r.status.reason });

const rows = (n) =>
  Array.from({ length: n }, (_, i) => ({ id: i, vec: [i, 1.5, -i], email: `person${i}@example.com`, city: i % 2 ? 'Oslo' : 'Rome', tenant: i < 10 ? 'acme' : 'other', meta: { phone: `0047-55-${i}`, n: i }, color: `red${i}` }));

async function everything(c) {
  await attempt('create', async () =>
    c.createCollection({
      collection_name: 'day',
      enable_dynamic_field: true,
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vec', data_type: DataType.FloatVector, dim: 3 },
        { name: 'email', data_type: DataType.VarChar, max_length: 100 },
        { name: 'city', data_type: DataType.VarChar, max_length: 100 },
        { name: 'tenant', data_type: DataType.VarChar, max_length: 100 },
        { name: 'meta', data_type: DataType.JSON },
      ],
    }));
  await attempt('index', () => c.createIndex({ collection_name: 'day', field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }));
  await attempt('load', async () => (await c.loadCollectionSync({ collection_name: 'day' })).code);
  await attempt('insert', async () => (await c.insert({ collection_name: 'day', data: rows(20) })).insert_cnt);
  await attempt('upsert', async () => (await c.upsert({ collection_name: 'day', data: rows(3) })).upsert_cnt);
  await attempt('has', async () => (await c.hasCollection({ collection_name: 'day' })).value);
  await attempt('list', async () => (await c.showCollections()).data.map((d) => d.name));
  await attempt('get', async () => (await c.get({ collection_name: 'day', ids: [3, 1], output_fields: ['id', 'email', 'meta', 'color', 'vec'] })).data);
  await attempt('query', async () => (await c.query({ collection_name: 'day', filter: 'city == "Oslo" && meta["n"] > 5', output_fields: ['id', 'color'], limit: 3 })).data);
  await attempt('count', async () => (await c.count({ collection_name: 'day' })).data);
  await attempt('search', async () => (await c.search({ collection_name: 'day', data: [1, 1, 1], limit: 3, output_fields: ['email', 'color'], metric_type: 'L2' })).results);
  await attempt('hybrid', async () =>
    (await c.search({ collection_name: 'day', data: [{ anns_field: 'vec', data: [1, 1, 1] }, { anns_field: 'vec', data: [9, 1, 1], expr: 'id > 2' }], limit: 3, output_fields: ['city'] })).results);
  await attempt('delete', async () => (await c.delete({ collection_name: 'day', ids: [0, 1] })).delete_cnt);
  await attempt('delete by filter', async () => (await c.deleteEntities({ collection_name: 'day', filter: 'city == "Rome"' })).delete_cnt);
  await attempt('left', async () => (await c.query({ collection_name: 'day', filter: 'id >= 0', output_fields: ['count(*)'] })).data);
  await attempt('none', async () => brief(await c.query({ collection_name: 'night', filter: 'id > 1' })));
  await attempt('drop', async () => (await c.dropCollection({ collection_name: 'day' })).error_code);
}

async function look(c) {
  await attempt('get', async () => (await c.get({ collection_name: 'customers', ids: [3], output_fields: ['*'] })).data);
  await attempt('search', async () => (await c.search({ collection_name: 'customers', data: [3, 1.5, -3.001], limit: 1, output_fields: ['*'] })).results);
  await attempt('by email', () => c.query({ collection_name: 'customers', filter: 'email == "person3@example.com"', limit: 1 }));
  await attempt('drop', () => c.dropCollection({ collection_name: 'customers' }));
}

(async () => {
  const c = new MilvusClient({ address, ...(token ? { token } : {}), timeout: 30000 });
  await c.connectPromise;
  await { everything, look }[what](c);
  await c.closeConnection();
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
