"""LangChain's and LlamaIndex' stores over Pinecone; see test/stores."""

import walk
from langchain_pinecone import PineconeVectorStore as Chain
from llama_index.vector_stores.pinecone import PineconeVectorStore as Index
from pinecone import Pinecone, ServerlessSpec


class Engine(walk.Engine):
    # The collections are namespaces of one index.
    WITHOUT = ("LangChain get by ids", "LlamaIndex get by ids")

    def __init__(self, url, token):
        pc = Pinecone(api_key=token, host=url)
        if not pc.has_index("docs"):
            pc.create_index(name="docs", dimension=4, metric="cosine", spec=ServerlessSpec(cloud="aws", region="us-east-1"))
        self.data = pc.Index("docs")

    def chain(self, name, model):
        return Chain(index=self.data, embedding=model, namespace=name)

    def where(self, key, value):
        return {"filter": {key: value}}

    def index(self, name):
        return Index(pinecone_index=self.data, namespace=name)

    def drop(self, name):
        self.data.delete(delete_all=True, namespace=name)


walk.main(Engine)
