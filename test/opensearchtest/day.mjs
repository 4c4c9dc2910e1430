// A working day of @opensearch-project/opensearch: node day.mjs URL TOKEN WHAT. Prints what it saw, one JSON value a line.
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_PATH + "/");
const { Client } = require("@opensearch-project/opensearch");
const [url, token, what] = process.argv.slice(2);
const client = new Client({ node: url, headers: token ? { authorization: "Bearer " + token } : {} });
const say = (...seen) => console.log(JSON.stringify(seen));
const plain = (v) => (Array.isArray(v) ? v.map(plain) : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).filter(([k]) => !["took", "_scroll_id"].includes(k)).map(([k, x]) => [k, plain(x)])) : v);

async function attempt(name, call) {
  try {
    say(name, plain((await call()).body));
  } catch (e) {
    say(name, e.name, e.meta?.body?.error?.reason ?? e.message);
  }
}

const near = { size: 2, query: { knn: { v: { vector: [3, 1.5, -3.001], k: 2 } } } };

if (what === "everything") {
  await attempt("exists", () => client.indices.exists({ index: "evening" }));
  await attempt("create", () => client.indices.create({ index: "evening", body: {
    settings: { "index.knn": true, number_of_shards: 1, number_of_replicas: 0 },
    mappings: { properties: { v: { type: "knn_vector", dimension: 3, method: { name: "hnsw", engine: "lucene" } }, n: { type: "integer" } } } } }));
  const done = await client.helpers.bulk({ datasource: Array.from({ length: 20 }, (_, i) => ({ i })), onDocument: ({ i }) => [{ index: { _index: "evening", _id: `user:${i}` } }, { v: [i, 1.5, -i], n: i }], refreshOnCompletion: "evening" });
  say("bulk", done.total, done.failed);
  await attempt("near", () => client.search({ index: "evening", body: near }));
  await attempt("get", () => client.get({ index: "evening", id: "user:3" }));
  await attempt("missing", () => client.get({ index: "evening", id: "nobody" }));
  await attempt("update", () => client.update({ index: "evening", id: "user:3", body: { doc: { n: 33 } }, refresh: true }));
  await attempt("msearch", () => client.msearch({ body: [{ index: "evening" }, near] }));
  let n = 0;
  for await (const page of client.helpers.scrollSearch({ index: "evening", size: 7, body: { query: { match_all: {} } } })) n += page.documents.length;
  say("scrolled", n);
  await attempt("count", () => client.count({ index: "evening", body: { query: { range: { n: { gte: 18 } } } } }));
  await attempt("delete", () => client.delete({ index: "evening", id: "user:4", refresh: true }));
  await attempt("drop", () => client.indices.delete({ index: "evening" }));
}
if (what === "look") {
  await attempt("near", () => client.search({ index: "customers", body: near }));
  await attempt("by email", () => client.search({ index: "customers", body: { query: { term: { email: "person3@example.com" } } } }));
  await attempt("drop", () => client.indices.delete({ index: "customers" }));
}
