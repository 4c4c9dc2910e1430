"""What the demo does with Milvus' own Python client: milvus.py fill|search|guess|upsert|drop."""

import json
import logging
import os
import sys

from pymilvus import DataType, MilvusClient

logging.disable()  # the client logs a page for every refusal
what = sys.argv[1]
address = os.environ["MILVUS_ITSELF" if what == "fill" else "MILVUS"]
people = [json.loads(line) for line in open("people.jsonl")]
probe = json.load(open("probe.json"))
TEXTS = ("name", "email", "phone", "city", "notes")

try:
    client = MilvusClient(uri=address, token=os.environ.get("VECGATE_TOKEN", ""))
    if what == "fill":
        schema = client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=len(probe))
        for name in TEXTS:
            schema.add_field(name, DataType.VARCHAR, max_length=4000)
        index = client.prepare_index_params()
        index.add_index("embedding", index_type="FLAT", metric_type="COSINE")
        client.create_collection("customers", schema=schema, index_params=index)
        rows = [{"id": p["id"], "embedding": p["embedding"], **{n: p[n] for n in TEXTS}} for p in people]
        print(client.insert("customers", rows)["insert_count"], "people")
    elif what == "search":
        shown = ["name", "email", "phone", "city", "embedding"]
        for hit in client.search("customers", data=[probe], limit=3, output_fields=shown)[0]:
            vector = hit["entity"].pop("embedding", None)
            print(dict(hit["entity"]), "vector:", vector)
    elif what == "guess":
        print(client.search("customers", data=[probe], limit=1, filter=f'email == "{people[6]["email"]}"'))
    elif what == "upsert":
        row = {"id": 7, "embedding": probe, **{n: "" for n in TEXTS}, "city": "Oslo"}
        client.upsert("customers", [row])
        print("upserted")
    elif what == "drop":
        client.drop_collection("customers")
        print("dropped")
except Exception as e:
    sys.exit(f"{type(e).__name__}: {e.details() if hasattr(e, 'details') else e}")
