"""LangChain's and LlamaIndex' stores over Chroma; see test/stores."""

import chromadb
import walk
from chromadb.config import Settings
from langchain_chroma import Chroma
from llama_index.vector_stores.chroma import ChromaVectorStore


class Engine(walk.Engine):
    def __init__(self, url, token):
        self.client = chromadb.HttpClient(host=url, headers={"x-chroma-token": token}, settings=Settings(anonymized_telemetry=False))

    def chain(self, name, model):
        return Chroma(client=self.client, collection_name=name, embedding_function=model)

    def where(self, key, value):
        return {"filter": {key: value}}

    def index(self, name):
        return ChromaVectorStore(chroma_collection=self.client.get_or_create_collection(name, embedding_function=None))

    def drop(self, name):
        self.client.delete_collection(name)


walk.main(Engine)
