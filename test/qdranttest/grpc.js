// A working day of Qdrant's own JavaScript client over gRPC: node grpc.js URL TOKEN WHAT. It compresses what it sends.
// Prints what it saw, one JSON value a line.
const { QdrantClient } = require("@qdrant/js-client-grpc");

const [url, token, what] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const client = new QdrantClient({ host: hostname, port: Number(port), apiKey: token || undefined, https: false });
const collections = client.api("collections");
const points = client.api("points");
const seen = (_, v) => (typeof v === "bigint" ? String(v) : v);
const say = (...what) => console.log(JSON.stringify(what, seen));
const num = (n) => ({ pointIdOptions: { case: "num", value: BigInt(n) } });
const text = (s) => ({ kind: { case: "stringValue", value: s } });
const everything = { selectorOptions: { case: "enable", value: true } };

async function attempt(name, call) {
  try {
    say(name, await call());
  } catch (e) {
    say(name, e.constructor.name, e.code, e.rawMessage);
  }
}

const untimed = (r) => ({ ...r, time: 0, usage: undefined });

const days = {
  async everything() {
    const collectionName = "jsday";
    const config = { config: { case: "params", value: { size: 3n, distance: 1 } } };
    say("created", (await collections.create({ collectionName, vectorsConfig: config })).result);
    const list = [...Array(10).keys()].map((i) => ({
      id: num(i), vectors: { vectorsOptions: { case: "vector", value: { data: [i + 1, 1.5, -i] } } }, payload: { email: text(`person${i}@example.com`) },
    }));
    say("upserted", (await points.upsert({ collectionName, wait: true, points: list })).result.status);
    say("query", untimed(await points.search({ collectionName, vector: [1, 1, 1], limit: 2n, withPayload: everything, withVectors: everything })));
    say("ids", untimed(await points.get({ collectionName, ids: [num(3), num(77)], withPayload: everything })));
    say("deleted", (await points.delete({ collectionName, points: { pointsSelectorOneOf: { case: "points", value: { ids: [num(1)] } } } })).result.status);
    say("count", (await points.count({ collectionName })).result.count);
    await attempt("none", () => points.count({ collectionName: "none" }));
    say("dropped", (await collections.delete({ collectionName })).result);
  },
  async look() {
    say("ids", untimed(await points.get({ collectionName: "customers", ids: [num(3)], withPayload: everything, withVectors: everything })));
    await attempt("drop", () => collections.delete({ collectionName: "customers" }));
  },
};

days[what]();
