"""LlamaIndex' store over Milvus; see test/stores."""

import walk
from llama_index.vector_stores.milvus import MilvusVectorStore
from pymilvus import MilvusClient


class Engine(walk.Engine):
    CHAIN = None  # LangChain's store is in day.py: this one, which takes the pymilvus that LlamaIndex takes, does not find its connection

    def __init__(self, uri, token):
        self.uri, self.token = uri, token

    def index(self, name):
        return MilvusVectorStore(uri=self.uri, token=self.token, collection_name=name, dim=4, similarity_metric="L2", use_async_client=False, consistency_level="Strong", output_fields=["*", *walk.METADATA[0]])

    def drop(self, name):
        MilvusClient(uri=self.uri, token=self.token).drop_collection(name)


walk.main(Engine)
