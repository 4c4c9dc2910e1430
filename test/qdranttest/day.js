// A working day of Qdrant's own JavaScript client: node day.js URL TOKEN WHAT. Prints what it saw, one JSON value a line.
const { QdrantClient } = require("@qdrant/js-client-rest");

const [url, token, what] = process.argv.slice(2);
const client = new QdrantClient({ url, port: null, apiKey: token || undefined });
const say = (...seen) => console.log(JSON.stringify(seen));

async function attempt(name, call) {
  try {
    say(name, await call());
  } catch (e) {
    say(name, e.constructor.name, e.status, e.data && e.data.status);
  }
}

const email = { must: [{ key: "email", match: { value: "person1@example.com" } }] };

const days = {
  async everything() {
    say("created", await client.createCollection("jsday", { vectors: { size: 3, distance: "Cosine" } }));
    const points = [...Array(10).keys()].map((i) => ({ id: i, vector: [i + 1, 1.5, -i], payload: { email: `person${i}@example.com`, n: i } }));
    say("upserted", (await client.upsert("jsday", { wait: true, points })).status);
    say("collections", (await client.getCollections()).collections.map((c) => c.name), await client.collectionExists("jsday"));
    say("info", (await client.getCollection("jsday")).points_count);
    say("scroll", await client.scroll("jsday", { limit: 2, filter: email, with_vector: true }));
    say("search", await client.search("jsday", { vector: [1, 1, 1], limit: 2, with_payload: true }));
    say("query", (await client.query("jsday", { query: [1, 1, 1], limit: 2, with_payload: ["n"] })).points);
    say("ids", await client.retrieve("jsday", { ids: [1, 2] }));
    say("count", await client.count("jsday", { filter: email }));
    say("payload", (await client.setPayload("jsday", { payload: { x: 1 }, points: [1] })).status);
    say("deleted", (await client.delete("jsday", { points: [1] })).status, (await client.count("jsday")).count);
    await attempt("odd", () => client.query("none", { query: [1] }));
    say("dropped", await client.deleteCollection("jsday"));
  },
  async look() {
    say("ids", await client.retrieve("customers", { ids: [3], with_vector: true }));
    say("query", (await client.query("customers", { query: [4, 1.5, -3.001], limit: 1, with_payload: true, with_vector: true })).points);
    await attempt("by email", () => client.scroll("customers", { filter: email, limit: 1 }));
    await attempt("drop", () => client.deleteCollection("customers"));
  },
};

days[what]();
