"""A working day of opensearch-py: day.py URL TOKEN WHAT. Prints what it saw, one JSON value a line."""

import json
import sys

from opensearchpy import OpenSearch, helpers
from opensearchpy.exceptions import TransportError

url, token, what = sys.argv[1:4]
client = OpenSearch(url, headers={"Authorization": "Bearer " + token} if token else {}, timeout=60)


def say(*seen):
    print(json.dumps(seen, sort_keys=True, default=str), flush=True)


def plain(seen):
    """An answer without what differs from one time to the next."""
    if isinstance(seen, dict):
        return {k: plain(v) for k, v in seen.items() if k not in ("took", "_scroll_id", "pit_id", "creation_time", "uuid", "provided_name", "creation_date")}
    if isinstance(seen, list):
        return [plain(v) for v in seen]
    return seen


def attempt(name, call):
    try:
        say(name, plain(call()))
    except TransportError as e:
        reason = e.info.get("error") if isinstance(e.info, dict) else e.info
        say(name, type(e).__name__, reason.get("reason") if isinstance(reason, dict) else reason)


MAPPING = {
    "settings": {"index.knn": True, "number_of_shards": 1, "number_of_replicas": 0},
    "mappings": {
        "properties": {
            "v": {"type": "knn_vector", "dimension": 3, "method": {"name": "hnsw", "engine": "lucene", "space_type": "l2"}},
            "email": {"type": "keyword"}, "text": {"type": "text"}, "n": {"type": "integer"}, "tenant": {"type": "keyword"},
            "notes": {"type": "nested", "properties": {"email": {"type": "keyword"}, "word": {"type": "keyword"}}},
        }
    },
}


def doc(i):
    return {
        "v": [i, 1.5, -i], "email": f"person{i}@example.com", "text": f"text number {i}", "n": i, "tenant": "even" if i % 2 == 0 else "odd",
        "notes": [{"email": f"note{i}@example.com", "word": f"w{i}"}],
    }


def fill(name):
    client.indices.create(index=name, body=MAPPING)
    done, errors = helpers.bulk(client, ({"_index": name, "_id": str(i), **doc(i)} for i in range(20)), refresh=True)
    return done, errors


def near(vector, k, **more):
    return {"size": k, "query": {"knn": {"v": {"vector": vector, "k": k, **more}}}}


def everything():
    say("info", client.info()["version"]["number"], client.ping())
    say("exists", client.indices.exists(index="day"))
    say("fill", fill("day"))
    say("exists", client.indices.exists(index="day"), list(client.indices.get_mapping(index="day")["day"]["mappings"]["properties"]))
    say("refresh", client.indices.refresh(index="day"))
    say("count", client.count(index="day")["count"], client.count(index="day", body={"query": {"term": {"tenant": "even"}}})["count"])
    attempt("get", lambda: client.get(index="day", id="3"))
    attempt("source", lambda: client.get_source(index="day", id="3", _source_includes="n,text"))
    say("there", client.exists(index="day", id="3"), client.exists(index="day", id="nobody"))
    attempt("missing", lambda: client.get(index="day", id="nobody"))
    attempt("mget", lambda: client.mget(index="day", body={"ids": ["1", "nobody"]}))
    attempt("near", lambda: client.search(index="day", body=near([1, 1, 1], 3)))
    attempt("filtered", lambda: client.search(index="day", body=near([9, 1.5, -9], 2, filter={"term": {"tenant": "even"}})))
    attempt("words", lambda: client.search(index="day", body={
        "query": {"bool": {"must": [{"match": {"text": "number"}}], "filter": [{"range": {"n": {"gte": 18}}}]}}, "_source": ["n"], "sort": [{"n": "desc"}],
        "highlight": {"fields": {"text": {}}}, "aggs": {"by": {"terms": {"field": "tenant"}, "aggs": {"top": {"top_hits": {"size": 1, "sort": [{"n": "asc"}], "_source": ["n"]}}}}}}))
    attempt("nested", lambda: client.search(index="day", body={
        "query": {"nested": {"path": "notes", "query": {"term": {"notes.word": "w7"}}, "inner_hits": {}}}, "fields": ["n", "notes.*"], "_source": False}))
    attempt("msearch", lambda: client.msearch(body=[{"index": "day"}, near([3, 1.5, -3], 1), {"index": "day"}, {"size": 0, "query": {"match_all": {}}}]))
    say("scan", sorted(h["_id"] for h in helpers.scan(client, index="day", size=7, query={"query": {"match_all": {}}})))
    pit = client.create_pit(index="day", params={"keep_alive": "1m"})["pit_id"]
    attempt("pit", lambda: client.search(body={"pit": {"id": pit, "keep_alive": "1m"}, "size": 2, "sort": [{"n": "asc"}], "_source": ["n"]}))
    say("closed", len(client.delete_pit(body={"pit_id": [pit]})["pits"]))
    attempt("update", lambda: client.update(index="day", id="1", body={"doc": {"n": 100, "v": [7, 7, 7]}}, refresh=True))
    attempt("index", lambda: client.index(index="day", id="user:1", body={"text": "ü \u2028 \"quoted\" 😀", "n": 9007199254740993 % 1000}, refresh=True))
    attempt("odd", lambda: client.index(index="day", id="odd", body={"n": "no number"}))
    attempt("again", lambda: client.get(index="day", id="user:1"))
    attempt("create", lambda: client.create(index="day", id="3", body={"n": 1}))
    say("bulk", helpers.bulk(client, [
        {"_op_type": "update", "_index": "day", "_id": "2", "doc": {"n": 200}}, {"_op_type": "delete", "_index": "day", "_id": "4"}, {"_index": "day", "n": 1}], refresh=True))
    attempt("delete", lambda: client.delete(index="day", id="5", refresh=True))
    attempt("by query", lambda: plain(client.delete_by_query(index="day", body={"query": {"range": {"n": {"lt": 9}}}}, refresh=True))["deleted"])
    say("left", client.count(index="day")["count"])
    attempt("alias", lambda: client.indices.put_alias(index="day", name="daily"))
    say("by alias", client.count(index="daily")["count"], list(client.indices.get_alias(index="daily")))
    attempt("wrong", lambda: client.search(index="day", body={"query": {"range": {"n": {"gt": "x" * 3}}}}))
    attempt("dropped", lambda: client.indices.delete(index="day"))
    attempt("gone", lambda: client.count(index="day"))


def look():
    attempt("get", lambda: client.get(index="customers", id="3"))
    attempt("mget", lambda: client.mget(body={"docs": [{"_index": "customers", "_id": "3"}]}))
    attempt("near", lambda: client.search(index="customers", body={**near([3, 1.5, -3.001], 1), "fields": ["*"], "highlight": {"fields": {"*": {}}}}))
    attempt("msearch", lambda: client.msearch(body=[{"index": "customers"}, near([3, 1.5, -3.001], 1)]))
    attempt("notes", lambda: client.search(index="customers", body={"query": {"nested": {"path": "notes", "query": {"term": {"notes.word": "w3"}}, "inner_hits": {}}}}))
    attempt("top", lambda: client.search(index="customers", body={"size": 0, "query": {"term": {"n": 3}}, "aggs": {"t": {"top_hits": {"size": 1}}}}))
    attempt("by email", lambda: client.search(index="customers", body={"query": {"term": {"email": "person3@example.com"}}}))
    attempt("by note", lambda: client.count(index="customers", body={"query": {"nested": {"path": "notes", "query": {"prefix": {"notes.email": "note3"}}}}}))
    attempt("of emails", lambda: client.search(index="customers", body={"size": 0, "aggs": {"e": {"terms": {"field": "email"}}}}))
    attempt("ordered", lambda: client.search(index="customers", body={"query": {"term": {"n": 3}}, "sort": ["email"]}))
    attempt("words", lambda: client.search(index="customers", body={"query": {"query_string": {"query": "email:person3*"}}}))
    attempt("script", lambda: client.search(index="customers", body={"query": {"term": {"n": 3}}, "script_fields": {"x": {"script": "doc['email'].value"}}}))
    attempt("all", lambda: len(list(helpers.scan(client, index="customers"))))
    attempt("drop", lambda: client.indices.delete(index="customers"))
    attempt("sql", lambda: client.transport.perform_request("POST", "/_plugins/_sql", body={"query": "select * from customers"}))


def upsert():
    attempt("upsert", lambda: client.index(index="customers", id="new", body={"v": [1, 2, 3], "text": "hello"}, refresh=True)["result"])


{"everything": everything, "look": look, "upsert": upsert, "count": lambda: say("count", client.count(index="customers")["count"]),
 "drop": lambda: client.indices.delete(index="customers"), "fill": lambda: say(fill("customers"))}[what]()
