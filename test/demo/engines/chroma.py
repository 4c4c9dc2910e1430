"""What the demo does with Chroma's own Python client: chroma.py fill|search|upsert|drop."""

import json
import os
import sys

import chromadb
from chromadb.config import Settings

what = sys.argv[1]
address = os.environ["CHROMA_ITSELF"] if what == "fill" else os.environ["CHROMA"]
token = os.environ.get("VECGATE_TOKEN", "")
client = chromadb.HttpClient(
    host=address, headers={"x-chroma-token": token} if token else {}, settings=Settings(anonymized_telemetry=False)
)
people = [json.loads(line) for line in open("people.jsonl")]
probe = json.load(open("probe.json"))

if what == "fill":
    customers = client.get_or_create_collection("customers", embedding_function=None)
    customers.upsert(
        ids=[str(p["id"]) for p in people],
        embeddings=[p["embedding"] for p in people],
        documents=[p["notes"] for p in people],
        metadatas=[{k: p[k] for k in ("name", "email", "phone", "city")} for p in people],
    )
    print(customers.count(), "people")
    sys.exit()

try:
    if what == "drop":
        client.delete_collection("customers")
        print("dropped")
        sys.exit()
    customers = client.get_collection("customers", embedding_function=None)
    if what == "search":
        found = customers.query(query_embeddings=[probe], n_results=3, include=["metadatas", "documents", "embeddings", "distances"])
        for place, who in enumerate(found["metadatas"][0]):
            vectors = found["embeddings"]
            print(who, "vector:", vectors and vectors[0][place])
    elif what == "guess":
        print(customers.query(query_embeddings=[probe], n_results=1, where={"email": {"$eq": people[6]["email"]}}))
    elif what == "upsert":
        customers.upsert(ids=["7"], embeddings=[probe], documents=["moved"], metadatas=[{"city": "Oslo"}])
        print("upserted")
except Exception as e:
    sys.exit(f"{type(e).__name__}: {e}")
