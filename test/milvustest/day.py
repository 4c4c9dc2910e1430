"""A working day of Milvus' own Python client: day.py URI TOKEN WHAT. Prints what it saw, one JSON value a line."""

import json
import logging
import sys
import warnings

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

from pymilvus import AnnSearchRequest, Collection, CollectionSchema, DataType, FieldSchema, MilvusClient, RRFRanker, connections, utility  # noqa: E402

uri, token, what = sys.argv[1:4]


def plain(x):
    if isinstance(x, float):
        return round(x, 4)
    if isinstance(x, dict):
        return {str(k): plain(v) for k, v in x.items()}
    if isinstance(x, (str, int, bool)) or x is None:
        return x
    if hasattr(x, "items"):
        return {str(k): plain(v) for k, v in x.items()}
    if hasattr(x, "__iter__"):
        return [plain(v) for v in x]
    if hasattr(x, "item"):
        return plain(x.item())
    return str(x)


def say(*seen):
    print(json.dumps(plain(seen), sort_keys=True), flush=True)


def attempt(name, call):
    try:
        seen = call()
    except Exception as e:
        text = e.details() if hasattr(e, "details") and callable(e.details) else str(e)
        say(name, type(e).__name__, text)
        return None
    say(name, seen)
    return seen


def client():
    return MilvusClient(uri=uri, token=token, timeout=60)


def rows(n):
    return [
        {"id": i, "vec": [float(i), 1.5, -float(i)], "email": f"person{i}@example.com", "city": "Oslo" if i % 2 else "Rome", "tenant": "acme" if i < 10 else "other",
         "meta": {"phone": f"0047-55-{i:04}", "n": i}, "color": f"red{i}", "nick": {"name": f"nick{i}"}}
        for i in range(n)
    ]


def fill(c, name, n=20):
    schema = c.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vec", DataType.FLOAT_VECTOR, dim=3)
    schema.add_field("email", DataType.VARCHAR, max_length=100)
    schema.add_field("city", DataType.VARCHAR, max_length=100)
    schema.add_field("tenant", DataType.VARCHAR, max_length=100)
    schema.add_field("meta", DataType.JSON)
    index = c.prepare_index_params()
    index.add_index("vec", index_type="FLAT", metric_type="L2")
    c.create_collection(name, schema=schema, index_params=index)
    return c.insert(name, rows(n))


SHOWN = ["id", "email", "city", "tenant", "meta", "color", "nick"]


def everything():
    c = client()
    say("version", c.get_server_version() != "")
    say("fill", fill(c, "day"))
    say("has", c.has_collection("day"), c.has_collection("night"), c.list_collections())
    d = c.describe_collection("day")
    say("describe", [f["name"] for f in d["fields"]], d["enable_dynamic_field"])
    say("upsert", c.upsert("day", [dict(rows(4)[3], city="Bergen", color="blue")]))
    say("get", c.get("day", ids=[3, 1], output_fields=SHOWN + ["vec"]))
    say("query", c.query("day", filter='city == "Oslo" and meta["n"] > 5', output_fields=["id", "color"], limit=3))
    say("all", c.query("day", filter="id >= 18", output_fields=["*"]))
    say("like", c.query("day", filter='email like "person1%" and not (color == "red10")', output_fields=["id"]))
    say("count", c.query("day", filter="id < 5", output_fields=["count(*)"]), c.query("day", output_fields=["count(*)"]))
    say("search", c.search("day", data=[[1, 1, 1], [9, 1.5, -9]], limit=3, output_fields=["email", "color"], search_params={"metric_type": "L2"}))
    say("filtered", c.search("day", data=[[1, 1, 1]], limit=2, filter='tenant == "other"', output_fields=["tenant", "vec"]))
    say("star", c.search("day", data=[[1, 1, 1]], limit=1, output_fields=["*"]))
    say("grouped", len(c.search("day", data=[[1, 1, 1]], limit=2, group_by_field="city", output_fields=["city"])[0]))
    reqs = [AnnSearchRequest([[1, 1, 1]], "vec", {"metric_type": "L2"}, 4, expr="id > 2"), AnnSearchRequest([[9, 1, 1]], "vec", {"metric_type": "L2"}, 4)]
    attempt("hybrid", lambda: c.hybrid_search("day", reqs, RRFRanker(), limit=3, output_fields=["city"]))
    seen = []
    it = c.query_iterator("day", batch_size=7, filter="id >= 0", output_fields=["id"])
    while page := it.next():
        seen.append([r["id"] for r in page])
    it.close()
    say("iterated", seen)
    say("stats", c.get_collection_stats("day"))
    c.create_alias("day", "today")
    say("alias", c.describe_alias("today")["collection_name"], c.query("today", filter="id == 1", output_fields=["color"]))
    c.drop_alias("today")
    c.create_partition("day", "late")
    say("partitions", c.list_partitions("day"))
    attempt("released", lambda: c.release_partitions("day", ["late"]))
    attempt("no partition", lambda: c.drop_partition("day", "late"))
    say("deleted", c.delete("day", ids=[0, 1]), c.delete("day", filter='city == "Rome"'))
    say("left", c.query("day", filter="id >= 0", output_fields=["count(*)"]))
    say("index", c.list_indexes("day"), c.describe_index("day", "vec")["metric_type"])
    say("load", str(c.get_load_state("day")))
    attempt("odd", lambda: c.query("day", filter="city > 5", output_fields=["id"]))
    attempt("none", lambda: c.query("night", filter="id > 1", output_fields=["id"]))
    c.release_collection("day")
    c.load_collection("day")
    c.rename_collection("day", "evening")
    say("renamed", c.list_collections())
    c.truncate_collection("evening") if hasattr(c, "truncate_collection") else None
    c.drop_collection("evening")
    say("dropped", c.list_collections())
    attempt("database", lambda: (c.create_database("side"), sorted(c.list_databases()), c.drop_database("side"))[1])
    orm()


def orm():
    connections.connect("default", uri=uri, token=token)
    schema = CollectionSchema([FieldSchema("id", DataType.VARCHAR, is_primary=True, max_length=20), FieldSchema("vec", DataType.FLOAT_VECTOR, dim=2)])
    c = Collection("old", schema)
    c.insert([["a", "b"], [[1, 2], [3, 4]]])
    c.create_index("vec", {"index_type": "FLAT", "metric_type": "IP", "params": {}})
    c.load()
    c.flush()
    say("orm", utility.list_collections(), c.num_entities, c.query('id in ["a"]', output_fields=["vec"]))
    say("orm search", [[(h.id, h.distance) for h in hits] for hits in c.search([[1, 1]], "vec", {"metric_type": "IP"}, limit=2)])
    say("orm delete", c.delete('id in ["a"]').delete_count)
    utility.drop_collection("old")
    connections.disconnect("default")


def chain():
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_milvus import Milvus

    store = Milvus(embedding_function=DeterministicFakeEmbedding(size=4), collection_name="texts", connection_args={"uri": uri, "token": token}, auto_id=False, consistency_level="Strong",
                   index_params={"index_type": "FLAT", "metric_type": "L2", "params": {}})
    say("added", store.add_texts(["red apples", "green pears", "blue plums"], metadatas=[{"n": i} for i in range(3)], ids=["a", "b", "c"]))
    say("search", [(d.page_content, d.metadata) for d in store.similarity_search("red apples", k=2)])
    say("filtered", [(d.page_content, score) for d, score in store.similarity_search_with_score("red apples", k=2, expr="n > 0")])
    say("deleted", store.delete(ids=["a"]), [d.page_content for d in store.similarity_search("red apples", k=3)])
    client().drop_collection("texts")


def look():
    c = client()
    c.describe_collection("customers")
    attempt("get", lambda: c.get("customers", ids=[3], output_fields=SHOWN + ["vec"]))
    attempt("star", lambda: c.query("customers", filter="id in [3]", output_fields=["*"]))
    attempt("unsaid", lambda: c.search("customers", data=[[3, 1.5, -3.001]], limit=1))
    attempt("search", lambda: c.search("customers", data=[[3, 1.5, -3.001]], limit=1, output_fields=["*"]))
    attempt("grouped", lambda: c.search("customers", data=[[3, 1.5, -3.001]], limit=1, group_by_field="email", output_fields=["id"]))
    attempt("by email", lambda: c.query("customers", filter='email == "person3@example.com"', output_fields=["id"], limit=1))
    attempt("by phone", lambda: c.query("customers", filter='meta["phone"] like "0047-55-0003"', output_fields=["id"], limit=1))
    attempt("range", lambda: c.search("customers", data=[[3, 1.5, -3.001]], limit=1, search_params={"metric_type": "L2", "params": {"radius": 1}}))
    attempt("everything", lambda: len(c.query("customers", filter="id >= 0", output_fields=["id", "color"])))
    attempt("odd", lambda: c.query("customers", filter='color == email', output_fields=["id"], limit=1))
    attempt("secrets", lambda: c.describe_collection("secrets"))
    attempt("list", lambda: c.list_collections())
    attempt("drop", lambda: c.drop_collection("customers"))
    attempt("delete all", lambda: c.delete("customers", filter="id >= 0"))
    attempt("users", lambda: c.create_user("eve", "Password1!"))


def tenant():
    c = client()
    attempt("get", lambda: [r["id"] for r in c.get("customers", ids=[3, 15], output_fields=["id"])])
    attempt("query", lambda: sorted(r["id"] for r in c.query("customers", filter="id >= 7 or 1 == 1", output_fields=["id"], limit=100)))
    attempt("count", lambda: c.query("customers", filter="id >= 0", output_fields=["count(*)"]))
    attempt("search", lambda: sorted(h["id"] for h in c.search("customers", data=[[15, 1.5, -15]], limit=30, output_fields=["id"])[0]))
    reqs = [AnnSearchRequest([[15, 1, 1]], "vec", {"metric_type": "L2"}, 30, expr="id > 2"), AnnSearchRequest([[15, 1, 1]], "vec", {"metric_type": "L2"}, 30)]
    attempt("hybrid", lambda: sorted(h["id"] for h in c.hybrid_search("customers", reqs, RRFRanker(), limit=30, output_fields=["id"])[0]))
    attempt("delete", lambda: c.delete("customers", ids=[9, 15]))
    attempt("delete by filter", lambda: c.delete("customers", filter='color == "red8" or color == "red16"'))
    attempt("foreign", lambda: c.upsert("customers", [rows(20)[16]]))
    attempt("stolen", lambda: c.upsert("customers", [dict(rows(20)[16], tenant="acme")]))
    attempt("stolen by insert", lambda: c.insert("customers", [dict(rows(20)[16], tenant="acme")]))
    attempt("own", lambda: c.upsert("customers", [dict(rows(4)[3], city="Bergen")]))
    attempt("new", lambda: c.insert("customers", [dict(rows(31)[30], tenant="acme")]))
    attempt("stats", lambda: c.get_collection_stats("customers"))


def upsert():
    attempt("upsert", lambda: client().upsert("customers", [dict(rows(31)[30])]))


def count():
    c = client()
    say("count", c.query("customers", filter="id >= 0", output_fields=["count(*)"])[0]["count(*)"])


def prepare():
    c = client()
    fill(c, "customers")
    fill(c, "secrets", 1)
    c.create_alias("secrets", "public")


{"everything": everything, "chain": chain, "look": look, "upsert": upsert, "count": count, "fill": prepare, "tenant": tenant}[what]()
