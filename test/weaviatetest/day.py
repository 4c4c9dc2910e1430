"""A working day of Weaviate's own Python client: day.py HTTP-PORT GRPC-PORT TOKEN WHAT. Prints what it saw, one JSON value a line."""

import json
import sys
import uuid
import warnings

warnings.filterwarnings("ignore")

import weaviate
from weaviate.classes.config import Configure, DataType, Property, ReferenceProperty, Tokenization
from weaviate.classes.data import DataObject, DataReference
from weaviate.classes.query import Filter, GroupBy, MetadataQuery, QueryReference, Sort
from weaviate.classes.aggregate import GroupByAggregate, Metrics
from weaviate.classes.tenants import Tenant

http_port, grpc_port, token, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]


def plain(x):
    if hasattr(x, "objects"):
        return plain(x.objects)
    if isinstance(x, list):
        return [plain(y) for y in x]
    if isinstance(x, dict):
        return {str(k): plain(v) for k, v in x.items()}
    if hasattr(x, "properties") and hasattr(x, "uuid"):
        meta = x.metadata.__dict__ if getattr(x, "metadata", None) else {}
        kept = {k: v for k, v in meta.items() if v is not None and "time" not in k and k != "explain_score"}
        refs = {k: plain(v) for k, v in (x.references or {}).items()} if getattr(x, "references", None) else {}
        return [str(x.uuid), plain(x.properties), plain(x.vector), plain(kept), refs]
    if isinstance(x, float):
        return round(x, 5)
    if isinstance(x, (int, str, bool)) or x is None:
        return x
    if hasattr(x, "__dict__"):
        return {k: plain(v) for k, v in vars(x).items() if not k.startswith("_")}
    return str(x)


def say(*seen):
    print(json.dumps(plain(list(seen)), sort_keys=True), flush=True)


def attempt(name, call):
    try:
        seen = call()
    except Exception as e:
        say(name, type(e).__name__, str(e))
        return None
    say(name, seen)
    return seen


def ordered(answer):
    """Objects in the order of their ids, where the server has none of its own."""
    return sorted(answer.objects, key=lambda o: str(o.uuid))


def named(n):
    return str(uuid.UUID(int=n))


if token.startswith("bearer:"):  # the client asks where tokens come from before it uses one
    auth = weaviate.auth.Auth.bearer_token(token.removeprefix("bearer:"), expires_in=600)
else:
    auth = weaviate.auth.Auth.api_key(token)
client = weaviate.connect_to_local(host="127.0.0.1", port=http_port, grpc_port=grpc_port, auth_credentials=auth)


def fill(name):
    client.collections.create(
        name,
        properties=[
            Property(name="title", data_type=DataType.TEXT),
            Property(name="email", data_type=DataType.TEXT, tokenization=Tokenization.FIELD),
            Property(name="owner", data_type=DataType.TEXT, tokenization=Tokenization.FIELD),
            Property(name="n", data_type=DataType.INT),
            Property(name="half", data_type=DataType.NUMBER),
            Property(name="tags", data_type=DataType.TEXT_ARRAY),
            Property(
                name="address",
                data_type=DataType.OBJECT,
                nested_properties=[Property(name="street", data_type=DataType.TEXT), Property(name="email", data_type=DataType.TEXT)],
            ),
        ],
        vector_config=Configure.Vectors.self_provided(),
    )
    c = client.collections.use(name)
    result = c.data.insert_many(
        [
            DataObject(
                uuid=named(i + 1),
                properties={
                    "title": f"text number {i}",
                    "email": f"person{i}@example.com",
                    "owner": "acme" if i % 2 == 0 else "globex",
                    "n": i,
                    "half": i / 2,
                    "tags": ["even" if i % 2 == 0 else "odd", f"t{i}"],
                    "address": {"street": f"Road {i}", "email": f"nested{i}@example.com"},
                },
                vector=[float(i), 1.5, float(-i)],
            )
            for i in range(20)
        ]
    )
    say("filled", result.has_errors)
    return c


def everything():
    say("ready", client.is_ready(), client.is_live(), client.get_meta()["version"])
    c = fill("Day")
    a = client.collections.create("Writer", properties=[Property(name="name", data_type=DataType.TEXT)])
    w = a.data.insert({"name": "Ann"}, uuid=named(1000))
    c.config.add_reference(ReferenceProperty(name="writer", target_collection="Writer"))
    c.config.add_property(Property(name="later", data_type=DataType.TEXT))
    c.data.reference_add(from_uuid=named(2), from_property="writer", to=w)
    c.data.reference_add_many([DataReference(from_uuid=named(3), from_property="writer", to_uuid=w)])
    say("schema", sorted(client.collections.list_all()), client.collections.exists("Day"), client.collections.exists("Night"))
    say("config", [p.name for p in c.config.get().properties])
    say("id", c.query.fetch_object_by_id(named(4), include_vector=True))
    say("ids", ordered(c.query.fetch_objects_by_ids([named(5), named(6)])))
    say("page", c.query.fetch_objects(limit=3, offset=2, sort=Sort.by_property("n", ascending=False)))
    say("usual", len(c.query.fetch_objects().objects))
    say("filter", ordered(c.query.fetch_objects(filters=Filter.by_property("n").greater_than(15) & Filter.by_property("owner").equal("acme"), include_vector=True)))
    say("near", c.query.near_vector([3.0, 1.5, -3.0], limit=3, return_metadata=MetadataQuery(distance=True, certainty=True), include_vector=True))
    say("object", c.query.near_object(named(4), limit=2, return_properties=["title"]))
    say("words", c.query.bm25("7", query_properties=["title"], limit=1, return_metadata=MetadataQuery(score=True)))
    say("hybrid", c.query.hybrid("number 7", vector=[7.0, 1.5, -7.0], query_properties=["title"], limit=2, return_metadata=MetadataQuery(score=True)))
    say("group", c.query.near_vector([3.0, 1.5, -3.0], limit=10, group_by=GroupBy(prop="owner", objects_per_group=2, number_of_groups=2)).groups)
    say("reference", ordered(c.query.fetch_objects(filters=Filter.by_ref("writer").by_property("name").equal("Ann"), return_references=QueryReference(link_on="writer", return_properties=["name"]), limit=5)))
    say("count", c.aggregate.over_all(total_count=True).total_count, len(c))
    say("sum", c.aggregate.over_all(return_metrics=[Metrics("n").integer(sum_=True), Metrics("title").text(count=True)]))
    say("groups", sorted(c.aggregate.over_all(group_by=GroupByAggregate(prop="owner")).groups, key=lambda g: g.grouped_by.value))
    say("all", len([o for o in c.iterator(include_vector=True)]))
    say("graphql", client.graphql_raw_query('{Get{Day(limit:1 where:{operator:Equal path:["n"] valueInt:7}){title email address{street} _additional{id distance}}}}').get)
    c.data.update(named(1), properties={"n": 100})
    c.data.replace(named(2), properties={"title": "replaced", "n": 1}, vector=[1.0, 2.0, 3.0])
    say("updated", c.query.fetch_object_by_id(named(1)), c.query.fetch_object_by_id(named(2), include_vector=True))
    extra = c.data.insert({"title": 'ü \u2028 "quoted" 😀', "n": 50}, uuid=named(50), vector=[0.0, 0.0, 1.0])
    say("extra", c.query.fetch_object_by_id(extra), c.data.exists(named(50)), c.data.exists(named(51)))
    with c.batch.fixed_size(batch_size=5) as batch:
        for i in range(12):
            batch.add_object({"title": f"batch {i}", "n": 200 + i}, uuid=named(200 + i), vector=[1.0, 1.0, float(i)])
    say("batch", len(c), len(c.batch.failed_objects))
    say("deleted", c.data.delete_by_id(named(50)), c.data.delete_by_id(named(51)))
    say("dry", c.data.delete_many(where=Filter.by_property("n").greater_or_equal(200), dry_run=True))
    say("many", c.data.delete_many(where=Filter.by_property("n").greater_or_equal(200), verbose=True).matches, len(c))
    attempt("odd", lambda: c.query.fetch_objects(filters=Filter.by_property("nothing").equal(1)))
    client.alias.create(alias_name="Today", target_collection="Day")
    say("alias", len(client.collections.use("Today").query.fetch_objects(limit=3).objects), client.alias.get(alias_name="Today").collection)
    client.alias.delete(alias_name="Today")
    t = client.collections.create("Notes", multi_tenancy_config=Configure.multi_tenancy(enabled=True), properties=[Property(name="text", data_type=DataType.TEXT)])
    t.tenants.create([Tenant(name="acme"), Tenant(name="globex")])
    t.with_tenant("acme").data.insert({"text": "for acme"}, uuid=named(1))
    say("tenants", sorted(t.tenants.get()), len(t.with_tenant("acme")), len(t.with_tenant("globex")))
    t.tenants.remove(["globex"])
    say("tenant", sorted(t.tenants.get_by_names(["acme"])), t.tenants.exists("globex"))
    for name in ["Day", "Writer", "Notes"]:
        client.collections.delete(name)
    say("dropped", sorted(client.collections.list_all()))


def look():
    c = client.collections.use("Customers")
    say("id", c.query.fetch_object_by_id(named(4), include_vector=True))
    attempt("near", lambda: c.query.near_vector([3.0, 1.5, -3.001], limit=1, return_metadata=MetadataQuery(distance=True, explain_score=True), include_vector=True))
    attempt("by email", lambda: c.query.fetch_objects(filters=Filter.by_property("email").equal("person3@example.com"), limit=1))
    attempt("by length", lambda: c.query.fetch_objects(filters=Filter.by_property("email", length=True).equal(19), limit=1))
    attempt("sort", lambda: c.query.fetch_objects(sort=Sort.by_property("email"), limit=1))
    attempt("words", lambda: c.query.bm25("person3@example.com", limit=1))
    attempt("group", lambda: c.query.near_vector([3.0, 1.5, -3.0], limit=2, group_by=GroupBy(prop="email", objects_per_group=1, number_of_groups=2)))
    attempt("top", lambda: c.aggregate.over_all(return_metrics=[Metrics("email").text(top_occurrences_value=True)]))
    attempt("graphql", lambda: client.graphql_raw_query('{Get{Customers(limit:1 where:{operator:Equal path:["n"] valueInt:3}){t:title e:email address{e:email} _additional{v:vector}}}}').get)
    attempt("all", lambda: len([o for o in c.iterator()]))
    attempt("drop", lambda: client.collections.delete("Customers"))
    attempt("backup", lambda: client.backup.create(backup_id="b", backend="filesystem"))


def filtered():
    c = client.collections.use("Customers")
    say("owners", sorted({o.properties["owner"] for o in c.query.fetch_objects(limit=100).objects}), len(c))
    say("near", [o.properties["n"] for o in c.query.near_vector([3.0, 1.5, -3.0], limit=4).objects])
    say("or", len(c.query.fetch_objects(limit=100, filters=Filter.by_property("n").less_than(4) | Filter.by_property("owner").equal("globex")).objects))
    say("mine", c.query.fetch_object_by_id(named(1)) is not None, c.query.fetch_object_by_id(named(2)))
    attempt("update mine", lambda: c.data.update(named(1), properties={"n": 0}))
    attempt("update theirs", lambda: c.data.update(named(2), properties={"n": 0}))
    attempt("give away", lambda: c.data.update(named(1), properties={"owner": "globex"}))
    attempt("delete theirs", lambda: c.data.delete_by_id(named(2)))
    attempt("overwrite theirs", lambda: c.data.insert_many([DataObject(uuid=named(2), properties={"owner": "acme"}, vector=[1.0, 1.0, 1.0])]).has_errors)
    attempt("insert astray", lambda: c.data.insert_many([DataObject(uuid=named(300), properties={"owner": "globex"}, vector=[1.0, 1.0, 1.0])]).has_errors)
    attempt("insert mine", lambda: c.data.insert_many([DataObject(uuid=named(301), properties={"owner": "acme", "n": 301}, vector=[1.0, 1.0, 1.0])]).has_errors)
    attempt("near object", lambda: len(c.query.near_object(named(2), limit=2).objects))
    say("sum", c.aggregate.over_all(total_count=True).total_count)
    attempt("delete", lambda: c.data.delete_many(where=Filter.by_property("n").greater_or_equal(0)).matches)
    attempt("drop", lambda: client.collections.delete("Customers"))


def upsert():
    c = client.collections.use("Customers")
    attempt("upsert", lambda: c.data.insert_many([DataObject(uuid=named(400), properties={"title": "hello"}, vector=[1.0, 2.0, 3.0])]).has_errors)


def count():
    say("count", len(client.collections.use("Customers")))


try:
    {
        "everything": everything,
        "look": look,
        "filtered": filtered,
        "upsert": upsert,
        "count": count,
    }[what]()
finally:
    client.close()
