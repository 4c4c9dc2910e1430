"""A working day of Pinecone's own Python client: day.py URL TOKEN DOOR WHAT. DOOR is rest or grpc, URL the control plane.
Prints what it saw, one JSON value a line. It runs with the client as it is now and with the last one before."""

import json
import re
import sys

from pinecone import Pinecone, ServerlessSpec

url, token, door, what = sys.argv[1:5]

pc = Pinecone(api_key=token, host=url)


def index(name):
    if door == "rest":
        return pc.Index(name)
    import pinecone.grpc as g

    if hasattr(g, "GRPCClientConfig"):
        host = pc.describe_index(name).host.removeprefix("http://")
        return g.PineconeGRPC(api_key=token, host=url).Index(host=host, grpc_config=g.GRPCClientConfig(secure=False))
    return g.GrpcIndex(host=pc.describe_index(name).host, api_key=token, grpc_scheme="http")


def say(*seen):
    print(json.dumps(seen, sort_keys=True, default=str), flush=True)


def told(e):
    """What a person reads of an error, without times and addresses."""
    text = str(e)
    for found in re.findall(r"HTTP response body: (.*)", text) + re.findall(r'grpc_message: ?"([^"]*)"', text):
        text = found
    try:
        body = json.loads(text)
        return body.get("message") or body["error"]["message"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return text


def attempt(name, call):
    try:
        seen = call()
    except Exception as e:
        say(name, type(e).__name__, told(e))
        return None
    say(name, seen)
    return seen


def record(v):
    sparse = v.sparse_values
    if sparse is not None and not isinstance(sparse, dict):
        sparse = {"indices": list(sparse.indices), "values": list(sparse.values)}
    return [v.id, list(v.values or []), sparse and sparse["indices"] and sparse or None, {k: x for k, x in (v.metadata or {}).items()} or None]


def matches(r):
    return [record(m) + [round(m.score, 5)] for m in r.matches]


def records(r):
    return [record(v) for _, v in sorted(r.vectors.items())]


def ids(pages):
    return [x if isinstance(x, str) else x.id for p in pages for x in (p if isinstance(p, list) else getattr(p, "vectors", [p]))]


def names(pages):
    return [n.name for p in pages for n in getattr(p, "namespaces", None) or [p]]


def fill(idx, namespace):
    idx.upsert(
        vectors=[
            {
                "id": f"doc{i % 3}#{i}",
                "values": [float(i + 1), 1.5, -float(i)],
                "metadata": {"email": f"person{i}@example.com", "n": i, "part": i / 8, "tags": ["a", "b"], "even": i % 2 == 0},
            }
            for i in range(20)
        ],
        namespace=namespace,
    )


def everything():
    say("indexes", [i.name for i in pc.list_indexes()])
    attempt("created", lambda: pc.create_index(name="docs", dimension=3, metric="cosine", spec=ServerlessSpec(cloud="aws", region="us-east-1")).name)
    say("again", pc.has_index("docs"), [i.name for i in pc.list_indexes()])
    idx = index("docs")
    fill(idx, "people")
    fill(idx, "")
    say("stats", idx.describe_index_stats().total_vector_count, sorted(idx.describe_index_stats().namespaces))
    everywhere = dict(include_values=True, include_metadata=True, namespace="people")
    say("query", matches(idx.query(vector=[1.0, 1.0, 1.0], top_k=3, **everywhere)))
    say("filtered", matches(idx.query(vector=[1.0, 1.0, 1.0], top_k=3, filter={"$and": [{"n": {"$gte": 3}}, {"even": True}]}, **everywhere)))
    say("by id", matches(idx.query(id="doc0#3", top_k=2, **everywhere)))
    say("fetch", records(idx.fetch(ids=["doc0#3", "doc1#1", "none"], namespace="people")))
    say("list", sorted(ids(idx.list(prefix="doc1#", namespace="people"))))
    say("by metadata", records(idx.fetch_by_metadata(filter={"n": {"$in": [2, 5]}}, namespace="people")))
    idx.update(id="doc0#3", set_metadata={"n": 100}, namespace="people")
    idx.update(id="doc1#1", values=[7.0, 7.0, 7.0], namespace="people")
    say("updated", records(idx.fetch(ids=["doc0#3", "doc1#1"], namespace="people")))
    idx.delete(ids=["doc0#0"], namespace="people")
    idx.delete(filter={"n": {"$lt": 4}}, namespace="people")
    say("left", idx.describe_index_stats().namespaces["people"].vector_count)
    say("namespaces", sorted(names(idx.list_namespaces())))
    attempt("odd", lambda: idx.query(vector=[1.0], top_k=1))
    attempt("not there", lambda: pc.describe_index("nothing").name)
    idx.delete(delete_all=True, namespace="people")
    attempt("empty", lambda: [len(idx.query(vector=[1.0, 1.0, 1.0], top_k=3, namespace="people").matches)])
    idx.delete_namespace(namespace="people")
    if door == "rest":
        idx.upsert_records(namespace="texts", records=[{"_id": f"t{i}", "chunk_text": f"a text about number {i}", "n": i} for i in range(5)])
        found = idx.search(namespace="texts", query={"inputs": {"text": "number 3"}, "top_k": 2}, fields=["chunk_text"])
        say("records", [dict(h.fields) for h in found.result.hits])
    pc.delete_index("docs", timeout=-1)
    attempt("dropped", lambda: pc.describe_index("docs").name)


def prepare():
    pc.create_index(name="docs", dimension=3, metric="cosine", spec=ServerlessSpec(cloud="aws", region="us-east-1"))
    fill(index("docs"), "people")
    say("prepared")


def look():
    idx = index("docs")
    everywhere = dict(include_values=True, include_metadata=True, namespace="people")
    say("query", matches(idx.query(vector=[3.0, 1.5, -3.001], top_k=1, **everywhere)))
    say("fetch", records(idx.fetch(ids=["doc0#3"], namespace="people")))
    attempt("by email", lambda: len(idx.query(vector=[1.0, 1.0, 1.0], top_k=1, filter={"email": "person3@example.com"}, namespace="people").matches))
    attempt("all", lambda: len(idx.fetch_by_metadata(filter={"n": {"$gte": 0}}, namespace="people").vectors))
    attempt("empty", lambda: idx.delete(delete_all=True, namespace="people"))
    attempt("drop", lambda: pc.delete_index("docs", timeout=-1))


def upsert():
    attempt("upsert", lambda: index("docs").upsert(vectors=[{"id": "new", "values": [1.0, 2.0, 3.0]}], namespace="people").upserted_count)


def tenant():
    idx = index("docs")
    mine = {"tenant": "acme", "n": 1}
    attempt("mine", lambda: idx.upsert(vectors=[{"id": "mine", "values": [1.0, 2.0, 3.0], "metadata": mine}], namespace="people").upserted_count)
    attempt("nobody's", lambda: idx.upsert(vectors=[{"id": "other", "values": [1.0, 2.0, 3.0]}], namespace="people").upserted_count)
    say("query", matches(idx.query(vector=[1.0, 1.0, 1.0], top_k=10, include_metadata=True, namespace="people")))
    say("fetch", records(idx.fetch(ids=["mine", "doc0#3"], namespace="people")))
    attempt("delete another's", lambda: idx.delete(ids=["doc0#3"], namespace="people"))
    attempt("delete mine", lambda: idx.delete(ids=["mine"], namespace="people") and None)


def count():
    say("count", index("docs").describe_index_stats().total_vector_count)



def clean():
    index("docs").delete(ids=["new"], namespace="people")
    say("cleaned")


{"everything": everything, "clean": clean, "prepare": prepare, "look": look, "upsert": upsert, "count": count, "tenant": tenant}[what]()
