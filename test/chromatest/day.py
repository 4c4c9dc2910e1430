"""A working day of Chroma's own Python client: day.py URL TOKEN WHAT. Prints what it saw, one JSON value a line."""

import json
import sys

import chromadb
from chromadb.config import Settings

url, token, what = sys.argv[1:4]


def say(*seen):
    print(json.dumps(seen, sort_keys=True, default=lambda x: x.tolist() if hasattr(x, "tolist") else str(x)), flush=True)


def attempt(name, call):
    try:
        seen = call()
    except Exception as e:
        say(name, type(e).__name__, str(e))
        return None
    say(name, seen)
    return seen


client = chromadb.HttpClient(
    host=url, headers={"x-chroma-token": token} if token else {}, settings=Settings(anonymized_telemetry=False)
)
EVERYTHING = ["embeddings", "documents", "metadatas", "uris"]


def fill(name):
    c = client.get_or_create_collection(name, embedding_function=None)
    c.upsert(
        ids=[f"p{i}" for i in range(20)],
        embeddings=[[i, 1.5, -i] for i in range(20)],
        documents=[f"text number {i}" for i in range(20)],
        metadatas=[{"email": f"person{i}@example.com", "n": i, "half": i / 2, "even": i % 2 == 0} for i in range(20)],
    )
    return c


def everything():
    say("version", client.get_version(), client.heartbeat() > 0, client.get_max_batch_size())
    c = client.create_collection("day", embedding_function=None, metadata={"k": "v"})
    c = fill("day")
    say("again", client.get_or_create_collection("day", embedding_function=None).id == c.id)
    say("collections", [x.name for x in client.list_collections()], client.count_collections())
    say("count", c.count())
    say("ids", c.get(ids=["p3", "p1"], include=EVERYTHING))
    say("where", c.get(where={"$and": [{"n": {"$gte": 3}}, {"even": True}]}, limit=3))
    say("document", c.get(where_document={"$contains": "number 7"}))
    say("page", c.get(limit=4, offset=2, include=[])["ids"], c.peek(2)["ids"])
    say("query", c.query(query_embeddings=[[1, 1, 1], [9, 1, -9]], n_results=3, include=EVERYTHING[:3] + ["distances"]))
    c.update(ids=["p1"], metadatas=[{"n": 100}], embeddings=[[7, 7, 7]])
    c.add(ids=["extra"], embeddings=[[0, 0, 0]], documents=["ü \u2028 \"quoted\" 😀"])
    say("updated", c.get(ids=["p1", "extra"], include=EVERYTHING))
    c.delete(ids=["p0"])
    c.delete(where={"n": {"$lt": 4}})
    say("left", c.count())
    c.modify(name="evening")
    say("renamed", client.get_collection("evening", embedding_function=None).count())
    attempt("gone", lambda: client.get_collection("day").name)
    attempt("odd", lambda: c.get(ids=["p9"], where={"n": {"$gt": "x" * 3}}))
    client.delete_collection("evening")
    attempt("dropped", lambda: c.count())
    client.create_collection("last", embedding_function=None)
    client.delete_collection("last")


def look():
    c = client.get_or_create_collection("customers", embedding_function=None)
    say("ids", c.get(ids=["p3"], include=EVERYTHING))
    say("query", c.query(query_embeddings=[[3, 1.5, -3.001]], n_results=1, include=EVERYTHING[:3] + ["distances"]))
    attempt("by email", lambda: c.get(where={"email": "person3@example.com"}, limit=1))
    attempt("all", lambda: len(c.get()["ids"]))
    attempt("drop", lambda: client.delete_collection("customers"))
    attempt("reset", lambda: client.reset())


def upsert():
    c = client.get_collection("customers", embedding_function=None)
    attempt("upsert", lambda: c.upsert(ids=["new"], embeddings=[[1, 2, 3]], documents=["hello"]))


def count():
    say("count", client.get_collection("customers", embedding_function=None).count())


{"everything": everything, "look": look, "upsert": upsert, "count": count, "fill": lambda: say(fill("customers").count())}[what]()
