"""A working day of Qdrant's own Python client: day.py URL GRPC_PORT TOKEN WHAT. Prints what it saw, one JSON value a line.

GRPC_PORT is 0 for REST."""

import json
import sys
import warnings

from qdrant_client import QdrantClient, models as m

url, grpc_port, token, what = sys.argv[1:5]


def plain(x):
    for name in ("model_dump", "tolist"):
        if hasattr(x, name):
            return getattr(x, name)()
    return str(x)


def say(*seen):
    print(json.dumps(seen, sort_keys=True, default=plain), flush=True)


def attempt(name, call):
    try:
        seen = call()
    except Exception as e:
        code = getattr(e, "code", None)
        status = getattr(e, "status_code", None) or (code().name if callable(code) else None)
        say(name, type(e).__name__, status, str(getattr(e, "content", None) or getattr(e, "details", lambda: e)()))
        return None
    say(name, seen)
    return seen


with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    client = QdrantClient(
        url=url,
        grpc_port=int(grpc_port) or 6334,
        prefer_grpc=grpc_port != "0",
        api_key=token or None,
        timeout=60,
    )
complaints = [str(w.message) for w in told if "version" in str(w.message).lower()]


def where(key, value):
    return m.Filter(must=[m.FieldCondition(key=key, match=m.MatchValue(value=value))])


def fill(name):
    if not client.collection_exists(name):
        client.create_collection(name, vectors_config=m.VectorParams(size=3, distance=m.Distance.COSINE))
    client.upsert(
        name,
        points=[
            m.PointStruct(
                id=i,
                vector=[i + 1.0, 1.5, -i],
                payload={"email": f"person{i}@example.com", "n": i, "even": i % 2 == 0, "meta": {"phone": f"+47{i}"}, "city": ["Oslo", "Bergen"][i % 2], "tenant": "ab"[i % 2]},
            )
            for i in range(20)
        ],
        wait=True,
    )
    client.create_payload_index(name, "city", field_schema=m.PayloadSchemaType.KEYWORD)
    client.create_payload_index(name, "n", field_schema=m.PayloadSchemaType.INTEGER)


def everything():
    say("complaints", complaints)
    fill("day")
    say("collections", [c.name for c in client.get_collections().collections])
    info = client.get_collection("day")
    say("info", info.points_count, info.status, info.config.params.vectors.size, sorted(info.payload_schema))
    say("count", client.count("day", count_filter=where("even", True)).count)
    say("ids", client.retrieve("day", ids=[3, 1, 99], with_vectors=True))
    say("page", *client.scroll("day", limit=4, offset=2, with_payload=["n"]))
    say("where", client.scroll("day", scroll_filter=m.Filter(must=[m.FieldCondition(key="n", range=m.Range(gte=15))], must_not=[m.HasIdCondition(has_id=[17])]))[0])
    say("nested", client.scroll("day", scroll_filter=m.Filter(should=[where("meta.phone", "+473"), m.IsEmptyCondition(is_empty=m.PayloadField(key="n"))]))[0])
    say("query", client.query_points("day", query=[1.0, 1.5, 0.0], limit=3, with_vectors=True, score_threshold=0.5).points)
    say("by id", client.query_points("day", query=5, limit=2, with_payload=False).points)
    say("recommend", client.query_points("day", query=m.RecommendQuery(recommend=m.RecommendInput(positive=[1, 2], negative=[15])), limit=2).points)
    say("fused", [p.id for p in client.query_points("day", prefetch=[m.Prefetch(query=[1.0, 1, 1], limit=5), m.Prefetch(query=[9.0, 1, 1], limit=5, filter=where("even", True))], query=m.FusionQuery(fusion=m.Fusion.RRF), limit=4).points])
    say("batch", [[p.id for p in r.points] for r in client.query_batch_points("day", requests=[m.QueryRequest(query=[1.0, 1, 1], limit=2), m.QueryRequest(query=[9.0, 1, 1], limit=1)])])
    say("groups", [[g.id, [h.id for h in g.hits]] for g in client.query_points_groups("day", query=[1.0, 1, 1], group_by="city", limit=2, group_size=2).groups])
    say("facet", client.facet("day", key="city").hits)
    client.set_payload("day", payload={"n": 100}, points=[1])
    client.overwrite_payload("day", payload={"only": "this"}, points=[2])
    client.delete_payload("day", keys=["even"], points=where("n", 3))
    client.clear_payload("day", points_selector=[4])
    client.update_vectors("day", points=[m.PointVectors(id=5, vector=[0.0, 0, 1])])
    client.batch_update_points("day", update_operations=[
        m.UpsertOperation(upsert=m.PointsList(points=[m.PointStruct(id="550e8400-e29b-41d4-a716-446655440000", vector=[1.0, 2, 3], payload={"ü": "\u2028 \"quoted\" 😀", "big": 2**53 + 1})])),
        m.SetPayloadOperation(set_payload=m.SetPayload(payload={"x": None}, points=[6])),
    ])
    say("updated", client.retrieve("day", ids=[1, 2, 3, 4, 5, 6, "550e8400-e29b-41d4-a716-446655440000"], with_vectors=True))
    client.delete("day", points_selector=[0])
    client.delete("day", points_selector=m.FilterSelector(filter=m.Filter(must=[m.FieldCondition(key="n", range=m.Range(lt=9))])))
    say("left", client.count("day").count)
    client.update_collection_aliases(change_aliases_operations=[m.CreateAliasOperation(create_alias=m.CreateAlias(collection_name="day", alias_name="evening"))])
    say("by alias", client.count("evening").count, [a.alias_name for a in client.get_aliases().aliases])
    client.update_collection_aliases(change_aliases_operations=[m.DeleteAliasOperation(delete_alias=m.DeleteAlias(alias_name="evening"))])
    attempt("gone", lambda: client.count("evening").count)
    attempt("odd", lambda: client.query_points("day", query=[1.0, 1, 1], query_filter=where("n", 10), limit=1).points[0].id)
    say("dropped", client.delete_collection("day"))
    say("exists", client.collection_exists("day"))


def look():
    say("ids", client.retrieve("customers", ids=[3], with_vectors=True))
    say("query", client.query_points("customers", query=[4.0, 1.5, -3.001], limit=1, with_vectors=True).points)
    say("facet", attempt("facet", lambda: client.facet("customers", key="email").hits))
    attempt("by email", lambda: client.scroll("customers", scroll_filter=where("email", "person3@example.com"), limit=1)[0])
    attempt("all", lambda: len(client.scroll("customers", limit=10000)[0]))
    attempt("drop", lambda: client.delete_collection("customers"))


def own():
    """Of somebody who may reach the points of one tenant only."""
    say("points", [p.payload["tenant"] for p in client.scroll("customers", limit=50)[0]])
    say("count", client.count("customers").count, client.get_collection("customers").points_count)
    say("query", sorted({p.payload["tenant"] for p in client.query_points("customers", query=[1.0, 1, 1], limit=20).points}))
    say("ids", [p.id for p in client.retrieve("customers", ids=[0, 1, 2, 3, 99])])
    attempt("by id", lambda: client.query_points("customers", query=1, limit=1).points)
    attempt("overwrite", lambda: client.upsert("customers", points=[m.PointStruct(id=1, vector=[1.0, 1, 1], payload={"tenant": "a"})]))
    attempt("foreign", lambda: client.upsert("customers", points=[m.PointStruct(id=100, vector=[1.0, 1, 1], payload={"tenant": "b"})]))
    attempt("new", lambda: str(client.upsert("customers", points=[m.PointStruct(id=100, vector=[1.0, 1, 1], payload={"tenant": "a"})]).status))
    client.delete("customers", points_selector=[1, 2])
    client.delete("customers", points_selector=m.FilterSelector(filter=m.Filter(must=[m.FieldCondition(key="n", range=m.Range(lt=10))])))


def upsert():
    attempt("upsert", lambda: str(client.upsert("customers", points=[m.PointStruct(id=1000, vector=[1.0, 2, 3], payload={"n": 1000})]).status))


def count():
    attempt("count", lambda: client.count("customers").count)


{"everything": everything, "look": look, "own": own, "upsert": upsert, "count": count, "fill": lambda: fill("customers")}[what]()
