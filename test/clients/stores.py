"""LlamaIndex' store over PostgreSQL; see test/stores. LangChain's is in scripts/day.py."""

import walk
from llama_index.vector_stores.postgres import PGVectorStore
from sqlalchemy import URL, create_engine, text


class Engine(walk.Engine):
    CHAIN = None

    def __init__(self, port, user, password, database, sslmode):
        where = dict(username=user, password=password, host="127.0.0.1", port=port, database=database)
        self.url = URL.create("postgresql+psycopg2", query={"sslmode": sslmode}, **where)
        self.awaited = URL.create("postgresql+asyncpg", **where)

    def index(self, name):
        return PGVectorStore(connection_string=self.url.render_as_string(False), async_connection_string=self.awaited.render_as_string(False), table_name=name, embed_dim=4, use_jsonb=True)

    def drop(self, name):
        with create_engine(self.url).begin() as connection:
            connection.execute(text(f"DROP TABLE data_{name}"))


walk.main(Engine)
