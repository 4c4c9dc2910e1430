"""LangChain's and LlamaIndex' stores over Milvus; see test/stores."""

import walk
from langchain_milvus import Milvus
from llama_index.vector_stores.milvus import MilvusVectorStore
from pymilvus import MilvusClient


class Engine:
    CHAIN, INDEX = "chain", "index"

    def __init__(self, uri, token):
        self.uri, self.token = uri, token

    def chain(self, name, model):
        return Milvus(
            embedding_function=model, collection_name=name, connection_args={"uri": self.uri, "token": self.token}, auto_id=False, consistency_level="Strong",
            index_params={"index_type": "FLAT", "metric_type": "L2", "params": {}},
        )

    def where(self, key, value):
        return {"expr": f"{key} == {value!r}".replace("'", '"')}

    def index(self, name):
        return MilvusVectorStore(uri=self.uri, token=self.token, collection_name=name, dim=4, similarity_metric="L2", use_async_client=False, consistency_level="Strong")

    def settle(self, name):
        pass

    def drop(self, name):
        MilvusClient(uri=self.uri, token=self.token).drop_collection(name)


walk.main(Engine)
