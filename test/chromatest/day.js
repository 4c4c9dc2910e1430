// A working day of Chroma's own client for Node: day.js URL TOKEN WHAT. Prints what it saw, one JSON value a line.
const { ChromaClient } = require("chromadb");

const [url, token, what] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const client = new ChromaClient({ host: hostname, port: Number(port), ssl: false, headers: token ? { "x-chroma-token": token } : {} });
const everything = ["embeddings", "documents", "metadatas", "uris"];

// Chroma gives the keys of metadata in any order.
const sorted = (_, v) => (v && typeof v === "object" && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort()) : v);
const say = (...seen) => console.log(JSON.stringify(seen, sorted));

async function attempt(name, call) {
  try {
    say(name, await call());
  } catch (e) {
    say(name, e.name, String(e.message));
  }
}

const vectors = (n) => Array.from({ length: n }, (_, i) => [i, 1.5, -i]);

async function fill(name) {
  const c = await client.getOrCreateCollection({ name, embeddingFunction: null });
  await c.upsert({
    ids: vectors(20).map((_, i) => `p${i}`),
    embeddings: vectors(20),
    documents: vectors(20).map((_, i) => `text number ${i}`),
    metadatas: vectors(20).map((_, i) => ({ email: `person${i}@example.com`, n: i, even: i % 2 === 0 })),
  });
  return c;
}

const days = {
  async everything() {
    say("version", await client.version(), (await client.heartbeat()) > 0);
    await client.createCollection({ name: "day", embeddingFunction: null, metadata: { k: "v" } });
    const c = await fill("day");
    say("again", (await client.getOrCreateCollection({ name: "day", embeddingFunction: null })).id === c.id);
    say("collections", (await client.listCollections()).map((x) => x.name), await client.countCollections());
    say("count", await c.count());
    say("ids", await c.get({ ids: ["p3", "p1"], include: everything }));
    say("where", await c.get({ where: { $and: [{ n: { $gte: 3 } }, { even: true }] }, limit: 3 }));
    say("document", await c.get({ whereDocument: { $contains: "number 7" } }));
    say("page", (await c.get({ limit: 4, offset: 2, include: [] })).ids, (await c.peek({ limit: 2 })).ids);
    say("query", await c.query({ queryEmbeddings: [[1, 1, 1], [9, 1, -9]], nResults: 3, include: [...everything.slice(0, 3), "distances"] }));
    await c.update({ ids: ["p1"], metadatas: [{ n: 100 }], embeddings: [[7, 7, 7]] });
    await c.add({ ids: ["extra"], embeddings: [[0, 0, 0]], documents: ['ü \u2028 "quoted" 😀'] });
    say("updated", await c.get({ ids: ["p1", "extra"], include: everything }));
    await c.delete({ ids: ["p0"] });
    await c.delete({ where: { n: { $lt: 4 } } });
    say("left", await c.count());
    await c.modify({ name: "evening" });
    say("renamed", await (await client.getCollection({ name: "evening", embeddingFunction: null })).count());
    await attempt("gone", async () => (await client.getCollection({ name: "day", embeddingFunction: null })).name);
    await client.deleteCollection({ name: "evening" });
    await attempt("dropped", () => c.count());
  },
  async look() {
    const c = await client.getOrCreateCollection({ name: "customers", embeddingFunction: null });
    say("ids", await c.get({ ids: ["p3"], include: everything }));
    say("query", await c.query({ queryEmbeddings: [[3, 1.5, -3.001]], nResults: 1, include: [...everything.slice(0, 3), "distances"] }));
    await attempt("by email", () => c.get({ where: { email: "person3@example.com" }, limit: 1 }));
    await attempt("drop", () => client.deleteCollection({ name: "customers" }));
  },
  async upsert() {
    const c = await client.getCollection({ name: "customers", embeddingFunction: null });
    await attempt("upsert", () => c.upsert({ ids: ["new"], embeddings: [[1, 2, 3]], documents: ["hello"] }));
  },
};

days[what]().catch((e) => {
  console.error(e);
  process.exit(1);
});
