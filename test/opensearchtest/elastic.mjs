// A working day of @elastic/elasticsearch: node elastic.mjs URL TOKEN WHAT. Prints what it saw, one JSON value a line.
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_PATH + "/");
const { Client } = require("@elastic/elasticsearch");
const [url, token, what] = process.argv.slice(2);
const client = new Client({ node: url, auth: { apiKey: token || "none" } });
const say = (...seen) => console.log(JSON.stringify(seen));
const plain = (v) => (Array.isArray(v) ? v.map(plain) : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).filter(([k]) => !["took", "_scroll_id"].includes(k)).map(([k, x]) => [k, plain(x)])) : v);

async function attempt(name, call) {
  try {
    say(name, plain(await call()));
  } catch (e) {
    say(name, e.name, e.meta?.body?.error?.reason ?? e.message);
  }
}

const knn = { field: "v", query_vector: [3, 1.5, -3.001], k: 2, num_candidates: 20 };

const days = {
  async everything() {
    await attempt("ping", () => client.ping());
    await attempt("exists", () => client.indices.exists({ index: "evening" }));
    await attempt("create", () => client.indices.create({
      index: "evening", settings: { number_of_shards: 1, number_of_replicas: 0 },
      mappings: { properties: { v: { type: "dense_vector", dims: 3, index: true, similarity: "l2_norm" }, n: { type: "integer" } } } }));
    const datasource = Array.from({ length: 20 }, (_, i) => ({ i }));
    const done = await client.helpers.bulk({ datasource, onDocument: ({ i }) => [{ index: { _index: "evening", _id: `user:${i}` } }, { v: [i, 1.5, -i], n: i }], refreshOnCompletion: "evening" });
    say("bulk", done.total, done.failed);
    await attempt("near", () => client.search({ index: "evening", knn, size: 2, _source: ["n"] }));
    await attempt("filtered", () => client.search({ index: "evening", knn: { ...knn, filter: { range: { n: { gte: 10 } } } }, size: 2 }));
    await attempt("aggregated", () => client.search({ index: "evening", size: 0, query: { range: { n: { gte: 10 } } }, aggs: { most: { max: { field: "n" } } } }));
    await attempt("get", () => client.get({ index: "evening", id: "user:3" }));
    await attempt("missing", () => client.get({ index: "evening", id: "nobody" }));
    await attempt("mget", () => client.mget({ index: "evening", ids: ["user:1", "nobody"] }));
    await attempt("update", () => client.update({ index: "evening", id: "user:3", doc: { n: 33 }, refresh: true }));
    await attempt("msearch", () => client.msearch({ searches: [{ index: "evening" }, { size: 1, query: { term: { n: 33 } } }] }));
    let n = 0;
    for await (const page of client.helpers.scrollSearch({ index: "evening", size: 7, query: { match_all: {} } })) n += page.documents.length;
    say("scrolled", n);
    await attempt("count", () => client.count({ index: "evening", query: { range: { n: { gte: 18 } } } }));
    await attempt("delete", () => client.delete({ index: "evening", id: "user:4", refresh: true }));
    await attempt("by query", async () => (await client.deleteByQuery({ index: "evening", query: { range: { n: { lt: 9 } } }, refresh: true })).deleted);
    await attempt("drop", () => client.indices.delete({ index: "evening" }));
    await attempt("gone", () => client.count({ index: "evening" }));
  },
  async look() {
    await attempt("near", () => client.search({ index: "customers", knn, size: 2 }));
    await attempt("get", () => client.get({ index: "customers", id: "3" }));
    await attempt("by email", () => client.search({ index: "customers", query: { term: { email: "person3@example.com" } } }));
    await attempt("esql", () => client.esql.query({ query: "from customers" }));
    await attempt("drop", () => client.indices.delete({ index: "customers" }));
  },
};

await days[what]();
