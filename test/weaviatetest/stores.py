"""LangChain's and LlamaIndex' stores over Weaviate; see test/stores."""

import atexit

import walk
import weaviate
from langchain_weaviate import WeaviateVectorStore as Chain
from llama_index.vector_stores.weaviate import WeaviateVectorStore as Index
from weaviate.classes.init import Auth
from weaviate.classes.query import Filter


class Engine(walk.Engine):
    CHAIN, INDEX = "Chain", "Index"
    WITHOUT = ("LangChain get by ids", "LlamaIndex get by ids")

    def __init__(self, http, grpc, token):
        self.client = weaviate.connect_to_custom("127.0.0.1", http, False, "127.0.0.1", grpc, False, auth_credentials=Auth.api_key(token))
        atexit.register(self.client.close)

    def chain(self, name, model):
        return Chain(client=self.client, index_name=name, text_key="text", embedding=model)

    def where(self, key, value):
        return {"filters": Filter.by_property(key).equal(value)}

    def index(self, name):
        return Index(weaviate_client=self.client, index_name=name)

    def drop(self, name):
        self.client.collections.delete(name)


walk.main(Engine)
