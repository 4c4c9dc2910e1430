"""Asks the same question through every Python client: DSN in libpq's form, URL, query vector."""

import asyncio
import sys

import asyncpg
import numpy
import pgvector.asyncpg
import pgvector.psycopg
import pgvector.psycopg2
import psycopg
import psycopg2
import sqlalchemy
import sqlalchemy.orm
from langchain_core.embeddings import Embeddings
from langchain_postgres import PGVector
from pgvector.sqlalchemy import VECTOR

dsn, url, vector = sys.argv[1:]
query = numpy.array([float(x) for x in vector.strip("[]").split(",")], dtype=numpy.float32)
alchemy = url.replace("postgres://", "postgresql+psycopg://")


def with_psycopg():
    with psycopg.connect(dsn) as conn:
        pgvector.psycopg.register_vector(conn)
        return conn.execute("SELECT name FROM items ORDER BY embedding <=> %s LIMIT 3", (query,)).fetchall()


def with_psycopg2():
    conn = psycopg2.connect(dsn)
    pgvector.psycopg2.register_vector(conn)
    with conn.cursor() as cursor:
        cursor.execute("SELECT name FROM items ORDER BY embedding <=> %s LIMIT 3", (query,))
        return cursor.fetchall()


def with_asyncpg():
    async def ask():
        conn = await asyncpg.connect(url)
        await pgvector.asyncpg.register_vector(conn)
        rows = await conn.fetch("SELECT name FROM items ORDER BY embedding <=> $1 LIMIT 3", query)
        await conn.close()
        return rows

    return asyncio.run(ask())


def with_sqlalchemy():
    class Base(sqlalchemy.orm.DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "items"
        id = sqlalchemy.orm.mapped_column(sqlalchemy.BigInteger, primary_key=True)
        name = sqlalchemy.orm.mapped_column(sqlalchemy.Text)
        embedding = sqlalchemy.orm.mapped_column(VECTOR(384))

    engine = sqlalchemy.create_engine(alchemy)
    with sqlalchemy.orm.Session(engine) as session:
        return session.execute(sqlalchemy.select(Item.name).order_by(Item.embedding.cosine_distance(query)).limit(3)).all()


class Fixed(Embeddings):
    """Knows one query; a document is its own few letters."""

    def embed_query(self, text):
        return [float(x) for x in query]

    def embed_documents(self, texts):
        return [[float(len(text) == i) + 0.01 for i in range(384)] for text in texts]


def with_langchain():
    store = PGVector(embeddings=Fixed(), connection=alchemy, collection_name="notes", create_extension=False)
    store.add_texts(["a", "bb", "ccc"])
    found = store.similarity_search_with_score("anything", k=3)
    assert len(found) == 3, found
    return with_psycopg()


for client in (with_psycopg, with_psycopg2, with_asyncpg, with_sqlalchemy, with_langchain):
    print(client.__name__.removeprefix("with_"), *(row[0] for row in client()))
