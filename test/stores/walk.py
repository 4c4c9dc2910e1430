"""A working day of LangChain's and LlamaIndex' stores, the same over every engine. What an engine is, the engine's own
stores.py says: a class whose instances stand for one place, a server or the gateway before it.

It is given a list of places in JSON, each with what to do there, and prints what it saw, one JSON value a line:
[place, framework, step, "ok", what] or [place, framework, step, "failed", type, message]."""

import json
import logging
import sys
import uuid
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from langchain_core.embeddings import Embeddings  # noqa: E402
from llama_index.core import VectorStoreIndex  # noqa: E402
from llama_index.core.base.embeddings.base import BaseEmbedding  # noqa: E402
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode  # noqa: E402
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters  # noqa: E402

# A model of three texts, by numbers that nothing else has.
VECTORS = {
    "red apples": [0.8125, 0.3125, 0.0625, 0.1875],
    "green pears": [0.4375, 0.8125, 0.3125, 0.0625],
    "blue plums": [0.0625, 0.1875, 0.9375, 0.5625],
}
TEXTS = list(VECTORS)
METADATA = [{"n": i, "email": f"person{i}@example.com", "kind": "fruit"} for i in range(3)]
IDS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, text)) for text in TEXTS]


class ChainModel(Embeddings):
    def embed_documents(self, texts):
        return [VECTORS[t] for t in texts]

    def embed_query(self, text):
        return VECTORS[text]


class IndexModel(BaseEmbedding):
    def _get_text_embedding(self, text):
        return next(VECTORS[t] for t in TEXTS if t in text)  # a node's text comes with its metadata

    def _get_query_embedding(self, query):
        return VECTORS[query]

    async def _aget_query_embedding(self, query):
        return VECTORS[query]


def plain(x):
    if isinstance(x, float):
        return round(x, 4)
    if isinstance(x, dict):
        return {str(k): plain(v) for k, v in sorted(x.items())}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    return x if isinstance(x, (str, int, type(None))) else str(x)


class Walk:
    def __init__(self, place, framework):
        self.place, self.framework = place, framework

    def say(self, *seen):
        print(json.dumps([self.place, self.framework, *plain(seen)], ensure_ascii=False), flush=True)

    def step(self, name, call):
        try:
            seen = call()
        except Exception as e:
            self.say(name, "failed", type(e).__name__, str(e))
            return None
        self.say(name, "ok", seen)
        return seen


def document(d):
    return [d.page_content, {k: v for k, v in d.metadata.items() if k in METADATA[0]}]


def chain(walk, engine, name, what):
    store = engine.chain(name, ChainModel())
    if what in ("day", "fill"):
        walk.step("added", lambda: len(store.add_texts(TEXTS, metadatas=[dict(m) for m in METADATA], ids=IDS)))
        engine.settle(name)
    walk.step("search", lambda: [document(d) for d in store.similarity_search("red apples", k=2)])
    walk.step("scored", lambda: [[*document(d), s] for d, s in store.similarity_search_with_score("green pears", k=2)])
    walk.step("filtered", lambda: [document(d) for d in store.similarity_search("red apples", k=3, **engine.where("n", 2))])
    walk.step("by ids", lambda: sorted(document(d) for d in store.get_by_ids(IDS[:2])))
    walk.step("diverse", lambda: [document(d) for d in store.max_marginal_relevance_search("red apples", k=2, fetch_k=3)])
    if what == "look":
        walk.step("by email", lambda: [document(d) for d in store.similarity_search("red apples", k=3, **engine.where("email", METADATA[1]["email"]))])
        walk.step("add", lambda: store.add_texts(TEXTS[:1], metadatas=METADATA[:1], ids=IDS[:1]))
        walk.step("delete", lambda: store.delete(IDS[:1]))
        walk.step("drop", lambda: engine.drop(name))
    if what == "day":
        walk.step("deleted", lambda: store.delete(IDS[:1]) is not False)
        engine.settle(name)
        walk.step("left", lambda: sorted(document(d) for d in store.similarity_search("red apples", k=3)))
        engine.drop(name)


def node(n):
    return [n.text, {k: v for k, v in n.metadata.items() if k in METADATA[0]}, n.embedding]


def found(nodes):
    return [[*node(n.node), n.score] for n in nodes]


def index(walk, engine, name, what):
    store = engine.index(name)
    index = VectorStoreIndex.from_vector_store(store, embed_model=IndexModel())

    def nodes():
        return [
            TextNode(id_=i, text=t, metadata=dict(m), relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document {m['n']}")})
            for i, t, m in zip(IDS, TEXTS, METADATA)
        ]

    def retrieve(k, where=None, **more):
        filters = MetadataFilters(filters=[MetadataFilter(key=key, value=v, operator=op) for key, op, v in where]) if where else None
        return found(index.as_retriever(similarity_top_k=k, filters=filters, **more).retrieve("red apples"))

    if what in ("day", "fill"):
        walk.step("added", lambda: index.insert_nodes(nodes()))
        engine.settle(name)
    walk.step("search", lambda: retrieve(2))
    walk.step("filtered", lambda: retrieve(3, [("n", FilterOperator.EQ, 2)]))
    walk.step("more filters", lambda: retrieve(3, [("n", FilterOperator.GTE, 1), ("kind", FilterOperator.EQ, "fruit")]))
    walk.step("diverse", lambda: retrieve(2, vector_store_query_mode="mmr"))
    walk.step("by ids", lambda: sorted(node(n)[:2] for n in store.get_nodes(node_ids=IDS[:2])))
    if what == "look":
        walk.step("by email", lambda: retrieve(3, [("email", FilterOperator.EQ, METADATA[1]["email"])]))
        walk.step("add", lambda: index.insert_nodes(nodes()[:1]))
        walk.step("delete", lambda: store.delete("document 0"))
        walk.step("drop", lambda: engine.drop(name))
    if what == "day":
        walk.step("deleted", lambda: store.delete("document 0"))
        engine.settle(name)
        walk.step("left", lambda: sorted(n[:2] for n in retrieve(3)))
        walk.step("deleted by id", lambda: store.delete_nodes([IDS[1]]))
        engine.settle(name)
        walk.step("still left", lambda: sorted(n[:2] for n in retrieve(3)))
        engine.drop(name)


def main(engine):
    for place in json.loads(sys.argv[1]):
        at = engine(**place["at"])
        for framework, do, name in (("LangChain", chain, engine.CHAIN), ("LlamaIndex", index, engine.INDEX)):
            if name:
                do(Walk(place["name"], framework), at, name, place["what"])
