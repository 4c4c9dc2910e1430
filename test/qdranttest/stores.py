"""LangChain's and LlamaIndex' stores over Qdrant; see test/stores."""

import walk
from langchain_qdrant import QdrantVectorStore as Chain
from llama_index.vector_stores.qdrant import QdrantVectorStore as Index
from qdrant_client import QdrantClient, models


class Engine(walk.Engine):
    def __init__(self, url, grpc_port, token):
        self.client = QdrantClient(url=url, grpc_port=grpc_port or 6334, prefer_grpc=grpc_port != 0, api_key=token, timeout=60)

    def chain(self, name, model):
        if not self.client.collection_exists(name):
            self.client.create_collection(name, vectors_config=models.VectorParams(size=4, distance=models.Distance.COSINE))
        return Chain(client=self.client, collection_name=name, embedding=model)

    def where(self, key, value):
        return {"filter": models.Filter(must=[models.FieldCondition(key="metadata." + key, match=models.MatchValue(value=value))])}

    def index(self, name):
        return Index(client=self.client, collection_name=name)

    def drop(self, name):
        self.client.delete_collection(name)


walk.main(Engine)
