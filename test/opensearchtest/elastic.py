"""A working day of the elasticsearch client: elastic.py URL TOKEN WHAT. Prints what it saw, one JSON value a line."""

import json
import sys

from elasticsearch import ApiError, Elasticsearch, helpers

url, token, what = sys.argv[1:4]
client = Elasticsearch(url, api_key=token or "none", request_timeout=60)


def say(*seen):
    print(json.dumps(seen, sort_keys=True, default=str), flush=True)


def plain(seen):
    if isinstance(seen, dict):
        return {k: plain(v) for k, v in seen.items() if k not in ("took", "_scroll_id")}
    if isinstance(seen, list):
        return [plain(v) for v in seen]
    return seen


def attempt(name, call):
    try:
        seen = call()
        say(name, plain(seen.body if hasattr(seen, "body") else seen))
    except ApiError as e:
        reason = e.body.get("error") if isinstance(e.body, dict) else e.body
        say(name, type(e).__name__, reason.get("reason") if isinstance(reason, dict) else reason)


MAPPINGS = {
    "properties": {
        "v": {"type": "dense_vector", "dims": 3, "index": True, "similarity": "l2_norm"}, "email": {"type": "keyword"}, "text": {"type": "text"}, "n": {"type": "integer"},
        "tenant": {"type": "keyword"},
    }
}


def doc(i):
    return {"v": [i, 1.5, -i], "email": f"person{i}@example.com", "text": f"text number {i}", "n": i, "tenant": "even" if i % 2 == 0 else "odd"}


def fill(name):
    client.indices.create(index=name, mappings=MAPPINGS, settings={"number_of_shards": 1, "number_of_replicas": 0})
    return helpers.bulk(client, ({"_index": name, "_id": str(i), **doc(i)} for i in range(20)), refresh=True)


def near(vector, k):
    return {"field": "v", "query_vector": vector, "k": k, "num_candidates": 20}


def everything():
    say("info", client.info()["version"]["number"], client.ping())
    say("exists", bool(client.indices.exists(index="day")))
    say("fill", fill("day"))
    say("count", client.count(index="day")["count"], client.count(index="day", query={"term": {"tenant": "even"}})["count"])
    attempt("get", lambda: client.get(index="day", id="3"))
    attempt("missing", lambda: client.get(index="day", id="nobody"))
    attempt("mget", lambda: client.mget(index="day", ids=["1", "nobody"]))
    attempt("near", lambda: client.search(index="day", knn=near([1, 1, 1], 3), size=3, source=["n"]))
    attempt("words", lambda: client.search(index="day", query={"match": {"text": "number"}}, size=2, sort=[{"n": "desc"}], aggs={"by": {"terms": {"field": "tenant"}}}))
    attempt("msearch", lambda: client.msearch(searches=[{"index": "day"}, {"size": 1, "query": {"term": {"n": 3}}}]))
    say("scan", len(list(helpers.scan(client, index="day", size=7))))
    attempt("update", lambda: client.update(index="day", id="1", doc={"n": 100}, refresh=True))
    attempt("index", lambda: client.index(index="day", id="user:1", document={"text": "ü \"quoted\" 😀"}, refresh=True))
    attempt("delete", lambda: client.delete(index="day", id="5", refresh=True))
    attempt("by query", lambda: client.delete_by_query(index="day", query={"range": {"n": {"lt": 9}}}, refresh=True)["deleted"])
    attempt("dropped", lambda: client.indices.delete(index="day"))
    attempt("gone", lambda: client.count(index="day"))


def look():
    attempt("near", lambda: client.search(index="customers", knn=near([3, 1.5, -3.001], 1), size=1))
    attempt("get", lambda: client.get(index="customers", id="3"))
    attempt("by email", lambda: client.search(index="customers", query={"term": {"email": "person3@example.com"}}))
    attempt("esql", lambda: client.esql.query(query="from customers"))
    attempt("drop", lambda: client.indices.delete(index="customers"))


{"everything": everything, "look": look, "fill": lambda: say(fill("customers"))}[what]()
