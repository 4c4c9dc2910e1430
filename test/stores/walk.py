"""A working day of LangChain's and LlamaIndex' stores, the same over every engine. What an engine is, the engine's own
stores.py says: a class whose instances stand for one place, a server or the gateway before it.

It is given a list of places in JSON, each with what to do there (day, fill, look, check), and prints what it saw, one JSON value a line:
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

# A model of a few texts, by numbers that nothing else has.
VECTORS = {
    "red apples": [0.8125, 0.3125, 0.0625, 0.1875],
    "green pears": [0.4375, 0.8125, 0.3125, 0.0625],
    "blue plums": [0.0625, 0.1875, 0.9375, 0.5625],
    "red plums": [0.6875, 0.1875, 0.5625, 0.3125],
}
TEXTS = list(VECTORS)[:3]
PROBE = [0.5, 0.5, 0.5, 0.5]  # of a text that a store sends to learn how long vectors are
METADATA = [{"n": i, "email": f"person{i}@example.com", "kind": "fruit", "color": t.split()[0]} for i, t in enumerate(TEXTS)]
NEW = str(uuid.uuid5(uuid.NAMESPACE_DNS, "red plums"))
IDS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, text)) for text in TEXTS]


class ChainModel(Embeddings):
    def embed_documents(self, texts):
        return [VECTORS.get(t, PROBE) for t in texts]

    def embed_query(self, text):
        return VECTORS.get(text, PROBE)


class IndexModel(BaseEmbedding):
    def _get_text_embedding(self, text):
        return next(v for t, v in VECTORS.items() if t in text)  # a node's text comes with its metadata

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
    """What one framework sees at one place."""

    def __init__(self, place, framework, without):
        self.place, self.framework, self.without = place, framework, without

    def step(self, name, call):
        if f"{self.framework} {name}" in self.without:
            return
        try:
            seen = ["ok", call()]
        except Exception as e:
            seen = ["failed", type(e).__name__, str(e)]
        print(json.dumps([self.place, self.framework, name, *plain(seen)], ensure_ascii=False), flush=True)


def document(d):
    return [d.page_content, {k: v for k, v in d.metadata.items() if k in METADATA[0]}]


def chain(walk, engine, name, what):
    store = engine.chain(name, ChainModel())

    def search(k, text="red apples", **more):
        return [document(d) for d in store.similarity_search(text, k=k, **engine.SEARCH, **more)]

    if what in ("day", "fill"):
        walk.step("add", lambda: len(store.add_texts(TEXTS, metadatas=[dict(m) for m in METADATA], ids=IDS)))
        engine.settle(name)
    walk.step("search", lambda: search(2))
    if what in ("day", "look"):
        walk.step("search with scores", lambda: [[*document(d), s] for d, s in store.similarity_search_with_score("green pears", k=2, **engine.SEARCH)])
        walk.step("search with a filter", lambda: search(3, **engine.where("color", "blue")))
        walk.step("get by ids", lambda: sorted(map(document, store.get_by_ids(IDS[:2])), key=str))
        walk.step("search for diversity", lambda: [document(d) for d in store.max_marginal_relevance_search("red apples", k=2, fetch_k=3, **engine.SEARCH)])
        walk.step("retrieve", lambda: [document(d) for d in store.as_retriever(search_kwargs={"k": 1, **engine.SEARCH}).invoke("green pears")])
    if what == "look":
        walk.step("search by email", lambda: search(3, **engine.where("email", METADATA[1]["email"])))
        walk.step("add", lambda: store.add_texts(["red plums"], metadatas=METADATA[:1], ids=[NEW]))
    if what in ("day", "look"):
        walk.step("delete", lambda: store.delete(IDS[:1]) is not False)
    if what == "day":
        engine.settle(name)
        walk.step("search for the rest", lambda: sorted(search(3), key=str))
    if what in ("day", "look"):
        walk.step("drop", lambda: engine.drop(name))


def node(n):
    return [n.text, {k: v for k, v in n.metadata.items() if k in METADATA[0]}]


def index(walk, engine, name, what):
    store = engine.index(name)
    index = VectorStoreIndex.from_vector_store(store, embed_model=IndexModel())

    def nodes(texts, ids):
        return [
            TextNode(id_=i, text=t, metadata=dict(m), relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document {m['n']}")})
            for i, t, m in zip(ids, texts, METADATA)
        ]

    def retrieve(k, *where, **more):
        filters = MetadataFilters(filters=[MetadataFilter(key=key, operator=op, value=v) for key, op, v in where]) if where else None
        found = index.as_retriever(similarity_top_k=k, filters=filters, vector_store_kwargs=dict(engine.SEARCH), **more).retrieve("red apples")
        return [[*node(n.node), n.node.embedding, n.score] for n in found]

    if what in ("day", "fill"):
        walk.step("add", lambda: index.insert_nodes(nodes(TEXTS, IDS)))
        engine.settle(name)
    walk.step("search", lambda: retrieve(2))
    if what in ("day", "look"):
        walk.step("search with a filter", lambda: retrieve(3, ("color", FilterOperator.EQ, "blue")))
        walk.step("search with filters", lambda: retrieve(3, ("n", FilterOperator.GTE, 1), ("kind", FilterOperator.EQ, "fruit")))
        walk.step("search for diversity", lambda: retrieve(2, vector_store_query_mode="mmr"))
        walk.step("get by ids", lambda: sorted(map(node, store.get_nodes(node_ids=IDS[:2])), key=str))
    if what == "look":
        walk.step("search by email", lambda: retrieve(3, ("email", FilterOperator.EQ, METADATA[1]["email"])))
        walk.step("add", lambda: index.insert_nodes(nodes(["red plums"], [NEW])))
    if what in ("day", "look"):
        walk.step("delete", lambda: store.delete("document 0"))
    if what == "day":
        engine.settle(name)
        walk.step("search for the rest", lambda: sorted((n[:2] for n in retrieve(3)), key=str))
        walk.step("delete by id", lambda: store.delete_nodes([IDS[1]]))
        engine.settle(name)
        walk.step("search for the last", lambda: sorted((n[:2] for n in retrieve(3)), key=str))
    if what in ("day", "look"):
        walk.step("drop", lambda: engine.drop(name))


class Engine:
    """What the stores over an engine have in common."""

    CHAIN, INDEX = "chain", "index"  # the collections of the two frameworks; None where one has no store, or none that works
    SEARCH = {}  # what every search is given besides
    WITHOUT = ()  # the steps that a store does not know

    def settle(self, name):
        """Waits until what was written is found."""


def main(engine):
    for place in json.loads(sys.argv[1]):
        at = engine(**place["at"])
        for framework, do, name in (("LangChain", chain, engine.CHAIN), ("LlamaIndex", index, engine.INDEX)):
            if name:
                do(Walk(place["name"], framework, engine.WITHOUT), at, name, place["what"])
