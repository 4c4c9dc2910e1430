"""LangChain's and LlamaIndex' stores over Elasticsearch; see test/stores."""

import walk
from elasticsearch import AsyncElasticsearch, Elasticsearch
from langchain_elasticsearch import ElasticsearchStore as Chain
from llama_index.vector_stores.elasticsearch import ElasticsearchStore as Index


class Engine(walk.Engine):
    WITHOUT = ("LangChain get by ids", "LlamaIndex search with filters", "LlamaIndex search for diversity")

    def __init__(self, url, token):
        self.of = dict(hosts=[url], api_key=token or "none", request_timeout=60)
        self.client = Elasticsearch(**self.of)

    def chain(self, name, model):
        return Chain(name, embedding=model, client=self.client)

    def where(self, key, value):
        return {"filter": [{"term": {f"metadata.{key}" + (".keyword" if isinstance(value, str) else ""): value}}]}

    def index(self, name):
        return Index(name, es_client=AsyncElasticsearch(**self.of))

    def settle(self, name):
        self.client.indices.refresh(index=name)

    def drop(self, name):
        self.client.indices.delete(index=name)


walk.main(Engine)
