"""What the demo does with Weaviate's own Python client: weaviate.py fill|search|guess|upsert|drop."""

import json
import os
import sys

sys.path.pop(0)  # this file has the name of the package that it uses

import weaviate
from weaviate.classes.config import Configure, DataType, Property
from weaviate.classes.data import DataObject
from weaviate.classes.init import Auth
from weaviate.classes.query import Filter
from weaviate.util import generate_uuid5

what = sys.argv[1]
rest, grpc = os.environ["WEAVIATE_ITSELF" if what == "fill" else "WEAVIATE"].split(",")
token = os.environ["WEAVIATE_KEY"] if what == "fill" else os.environ["VECGATE_TOKEN"]
people = [json.loads(line) for line in open("people.jsonl")]
probe = json.load(open("probe.json"))
TEXTS = ("name", "email", "phone", "city", "notes")

try:
    client = weaviate.connect_to_custom(
        http_host=rest.split(":")[0], http_port=int(rest.split(":")[1]), http_secure=False,
        grpc_host=grpc.split(":")[0], grpc_port=int(grpc.split(":")[1]), grpc_secure=False,
        auth_credentials=Auth.api_key(token),
    )
    if what == "fill":
        customers = client.collections.create(
            "Customers", vector_config=Configure.Vectors.self_provided(),
            properties=[Property(name=n, data_type=DataType.TEXT) for n in TEXTS],
        )
        customers.data.insert_many(
            [DataObject(properties={n: p[n] for n in TEXTS}, uuid=generate_uuid5(p["id"]), vector=p["embedding"]) for p in people]
        )
        print(len(customers), "people")
    elif what == "drop":
        client.collections.delete("Customers")
        print("dropped")
    else:
        customers = client.collections.use("Customers")
        shown = ["name", "email", "phone", "city"]
        if what == "search":
            for o in customers.query.near_vector(probe, limit=3, include_vector=True, return_properties=shown).objects:
                print(o.properties, "vector:", o.vector or None)
        elif what == "guess":
            known = Filter.by_property("email").equal(people[6]["email"])
            print(customers.query.near_vector(probe, limit=1, filters=known, return_properties=["name"]).objects)
        elif what == "upsert":
            customers.data.insert(properties={"name": "Somebody new", "city": "Oslo"}, vector=probe)
            print("upserted")
except Exception as e:
    sys.exit(f"{type(e).__name__}: {e}")
finally:
    if "client" in globals():
        client.close()
