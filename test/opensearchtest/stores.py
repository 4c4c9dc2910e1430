"""LangChain's and LlamaIndex' stores over OpenSearch; see test/stores."""

import walk
from langchain_community.vectorstores import OpenSearchVectorSearch
from llama_index.vector_stores.opensearch import OpensearchVectorClient, OpensearchVectorStore
from opensearchpy import OpenSearch


class Engine(walk.Engine):
    WITHOUT = ("LangChain get by ids", "LlamaIndex get by ids")

    def __init__(self, url, token):
        self.url, self.headers = url, {"Authorization": "Bearer " + token} if token else {}
        self.client = OpenSearch(url, headers=self.headers, timeout=60)

    def chain(self, name, model):
        return Chain(self.url, name, model, engine="lucene", headers=self.headers)

    def where(self, key, value):
        return {"efficient_filter": {"term": {f"metadata.{key}" + (".keyword" if isinstance(value, str) else ""): value}}}

    def index(self, name):
        return OpensearchVectorStore(OpensearchVectorClient(self.url, name, 4, engine="lucene", headers=self.headers))

    def settle(self, name):
        self.client.indices.refresh(index=name)

    def drop(self, name):
        self.client.indices.delete(index=name)


class Chain(OpenSearchVectorSearch):
    def add_texts(self, texts, **more):
        return super().add_texts(texts, engine="lucene", **more)


walk.main(Engine)
