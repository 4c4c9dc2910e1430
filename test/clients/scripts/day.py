"""A working day of the stock Python clients, told in lines that must be the same with and without a gateway.

    day.py DRIVER normal    everything that the driver does, by somebody who may do everything
    day.py DRIVER masked    what a reader sees whose answers are masked, and that a refusal leaves the connection usable

The connection comes from PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and PGSSLMODE.
"""

import asyncio
import json
import os
import sys

import numpy as np

HOST, PORT = os.environ["PGHOST"], int(os.environ["PGPORT"])
USER, PASSWORD, DATABASE = os.environ["PGUSER"], os.environ["PGPASSWORD"], os.environ["PGDATABASE"]
SSLMODE = os.environ.get("PGSSLMODE", "prefer")
DSN = dict(host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE, sslmode=SSLMODE)
URL = f"postgresql+psycopg://{USER}:{PASSWORD}@{HOST}:{PORT}/{DATABASE}?sslmode={SSLMODE}"
PROBE = "[" + ",".join(["0.05"] * 384) + "]"
REFUSED = "SELECT id FROM customers WHERE email LIKE 'a%' LIMIT 5"


def say(what, value):
    print(json.dumps([what, value], default=str, sort_keys=True), flush=True)


def table(driver):
    return f"day_{driver}"


def psycopg3(mode):
    import psycopg
    from pgvector.psycopg import register_vector
    from psycopg.rows import dict_row

    with psycopg.connect(**DSN, autocommit=True) as conn:
        if mode == "masked":
            for binary in (False, True):
                cur = conn.cursor(binary=binary)
                say("masked", cur.execute("SELECT id, email, phone, embedding FROM customers WHERE id = %s", (7,)).fetchall())
            try:
                conn.execute(REFUSED)
                say("refused", None)
            except psycopg.errors.InsufficientPrivilege as e:
                say("refused", [e.sqlstate, bool(e.diag.message_detail), bool(e.diag.message_hint)])
            say("after", conn.execute("SELECT 1").fetchone())
            with conn.transaction():
                conn.execute("SELECT 1")
            return
        register_vector(conn)
        t = table("psycopg3")
        conn.execute(f"DROP TABLE IF EXISTS {t}")
        conn.execute(f"CREATE TABLE {t} (id int PRIMARY KEY, name text, embedding vector(384))")
        with conn.transaction():
            conn.execute(f"INSERT INTO {t} VALUES (%s, %s, %s)", (1, "one", np.full(384, 0.1)))
            conn.execute(f"INSERT INTO {t} VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE SET name = excluded.name", (1, "eins", np.full(384, 0.1)))
        with conn.cursor().copy(f"COPY {t} (id, name) FROM STDIN") as copy:
            for i in range(2, 500):
                copy.write_row((i, f"row {i}"))
        with conn.cursor().copy(f"COPY {t} (id, name) TO STDOUT") as copy:
            say("copied", sum(1 for _ in copy.rows()))
        say("search", conn.execute("SELECT id, name FROM items ORDER BY embedding <=> %s LIMIT 5", (np.full(384, 0.05),)).fetchall())
        say("binary", conn.cursor(binary=True).execute("SELECT id, name, embedding FROM items WHERE id = 3").fetchone())
        say("dict", conn.cursor(row_factory=dict_row).execute("SELECT count(*) AS n FROM customers").fetchone())
        with conn.pipeline():
            first = conn.execute("SELECT name FROM items WHERE id = %s", (1,))
            second = conn.execute("SELECT name FROM items WHERE id = %s", (2,))
            say("pipeline", [first.fetchone(), second.fetchone()])
        conn.cursor().executemany(f"UPDATE {t} SET name = %s WHERE id = %s", [("x", 2), ("y", 3)])
        with conn.transaction(), conn.cursor(name="walk") as cur:
            cur.itersize = 7
            cur.execute(f"SELECT id FROM {t} ORDER BY id LIMIT 40")
            say("server cursor", sum(r[0] for r in cur))
        for i in range(8):  # past prepare_threshold: the driver starts to use named statements
            say("prepared", conn.execute(f"SELECT name FROM {t} WHERE id = %s", (i,)).fetchone())
        try:
            with conn.transaction():
                conn.execute(f"INSERT INTO {t} VALUES (1, 'again')")
        except psycopg.errors.UniqueViolation as e:
            say("error", [e.sqlstate, e.diag.message_primary, e.diag.message_detail])
        try:
            conn.execute("SELECT nonsense FROM items")
        except psycopg.Error as e:
            say("error", [e.sqlstate, e.diag.message_primary, e.diag.statement_position])
        conn.execute(f"DELETE FROM {t} WHERE id < 10")
        say("left", conn.execute(f"SELECT count(*), min(name) FROM {t}").fetchone())
        conn.execute(f"DROP TABLE {t}")
        say("status", [conn.info.parameter_status("server_encoding"), conn.info.parameter_status("integer_datetimes"), conn.info.transaction_status.name])


def psycopg2_(mode):
    import psycopg2
    import psycopg2.extras

    conn = psycopg2.connect(**DSN)
    cur = conn.cursor()
    if mode == "masked":
        cur.execute("SELECT id, email, phone, embedding FROM customers WHERE id = %s", (7,))
        say("masked", cur.fetchall())
        try:
            cur.execute(REFUSED)
            say("refused", None)
        except psycopg2.errors.InsufficientPrivilege as e:
            say("refused", [e.pgcode, bool(e.diag.message_detail), bool(e.diag.message_hint)])
        conn.rollback()
        cur.execute("SELECT 1")
        say("after", cur.fetchone())
        conn.close()
        return
    t = table("psycopg2")
    cur.execute(f"DROP TABLE IF EXISTS {t}")
    cur.execute(f"CREATE TABLE {t} (id int PRIMARY KEY, name text)")
    psycopg2.extras.execute_values(cur, f"INSERT INTO {t} VALUES %s", [(i, f"row {i}") for i in range(300)])
    conn.commit()
    cur.execute(f"SELECT id, name FROM items ORDER BY embedding <-> '{PROBE}' LIMIT 5")
    say("search", cur.fetchall())
    cur.execute(f"UPDATE {t} SET name = 'x' WHERE id = 5 RETURNING *")
    say("returning", cur.fetchall())
    conn.rollback()
    walk = conn.cursor("walk")
    walk.execute(f"SELECT id FROM {t} ORDER BY id LIMIT 50")
    say("server cursor", sum(r[0] for r in walk))
    walk.close()
    try:
        cur.execute(f"INSERT INTO {t} VALUES (1, 'again')")
    except psycopg2.Error as e:
        say("error", [e.pgcode, e.diag.message_primary])
    conn.rollback()
    cur.execute(f"DROP TABLE {t}")
    conn.commit()
    say("notices", len(conn.notices))
    conn.close()


def asyncpg_(mode):
    import asyncpg

    async def day():
        ssl = None if SSLMODE == "disable" else "require"
        conn = await asyncpg.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE, ssl=ssl or False)
        if mode == "masked":
            say("masked", [list(r.values()) for r in await conn.fetch("SELECT id, email, phone FROM customers WHERE id = $1", 7)])
            try:
                await conn.fetch(REFUSED)
                say("refused", None)
            except asyncpg.InsufficientPrivilegeError as e:
                say("refused", [e.sqlstate, bool(e.detail), bool(e.hint)])
            say("after", await conn.fetchval("SELECT 1"))
            await conn.close()
            return
        t = table("asyncpg")
        await conn.execute(f"DROP TABLE IF EXISTS {t}")
        await conn.execute(f"CREATE TABLE {t} (id int PRIMARY KEY, name text)")
        await conn.executemany(f"INSERT INTO {t} VALUES ($1, $2)", [(i, f"row {i}") for i in range(200)])
        say("copy", await conn.copy_records_to_table(t, records=[(i, "copied") for i in range(200, 400)]))
        say("search", [tuple(r) for r in await conn.fetch("SELECT id, name FROM items ORDER BY embedding <=> $1::text::vector LIMIT 5", PROBE)])
        async with conn.transaction():
            total = 0
            async for r in conn.cursor(f"SELECT id FROM {t} ORDER BY id LIMIT 90", prefetch=20):
                total += r["id"]
            say("server cursor", total)
        statement = await conn.prepare("SELECT name FROM items WHERE id = $1")
        say("prepared", [await statement.fetchval(i) for i in (1, 2, 3)])
        try:
            async with conn.transaction():
                await conn.execute(f"INSERT INTO {t} VALUES (1, 'again')")
        except asyncpg.UniqueViolationError as e:
            say("error", [e.sqlstate, e.detail])
        say("left", await conn.fetchval(f"SELECT count(*) FROM {t}"))
        await conn.execute(f"DROP TABLE {t}")
        await conn.close()

    asyncio.run(day())


def sqlalchemy_(mode):
    import sqlalchemy as sa
    from pgvector.sqlalchemy import Vector
    from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

    engine = sa.create_engine(URL)

    class Base(DeclarativeBase):
        pass

    class Customer(Base):
        __tablename__ = "customers"
        id = mapped_column(sa.BigInteger, primary_key=True)
        name = mapped_column(sa.Text)
        email = mapped_column(sa.Text)
        embedding = mapped_column(Vector(384))

    class Doc(Base):
        __tablename__ = table("sqlalchemy")
        id = mapped_column(sa.Integer, primary_key=True)
        name = mapped_column(sa.Text)
        embedding = mapped_column(Vector(384))

    with Session(engine) as s:
        if mode == "masked":
            c = s.get(Customer, 7)
            say("masked", [c.id, c.email, c.embedding])
            try:
                s.execute(sa.text(REFUSED))
                say("refused", None)
            except sa.exc.ProgrammingError as e:
                say("refused", [e.orig.sqlstate, bool(e.orig.diag.message_detail), bool(e.orig.diag.message_hint)])
            s.rollback()
            say("after", s.scalar(sa.text("SELECT 1")))
            return
        Doc.__table__.drop(engine, checkfirst=True)
        Doc.__table__.create(engine)
        s.add_all([Doc(id=i, name=f"row {i}", embedding=np.full(384, i / 100)) for i in range(1, 30)])
        s.commit()
        near = s.scalars(sa.select(Doc).order_by(Doc.embedding.l2_distance(np.full(384, 0.07))).limit(3)).all()
        say("search", [d.id for d in near])
        s.get(Doc, 3).name = "changed"
        s.commit()
        say("get", s.get(Doc, 3).name)
        say("tables", sorted(n for n in sa.inspect(engine).get_table_names() if n in ("items", "customers", "orders")))
        say("columns", [(c["name"], str(c["type"])) for c in sa.inspect(engine).get_columns("orders")])
        say("keys", sa.inspect(engine).get_pk_constraint("items")["constrained_columns"])
        s.execute(sa.delete(Doc).where(Doc.id > 10))
        s.commit()
        say("left", s.scalar(sa.select(sa.func.count()).select_from(Doc)))
    Doc.__table__.drop(engine)


def langchain(mode):
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_postgres import PGVector

    class Letters(Embeddings):
        """An embedding that needs no model: how often each letter occurs."""

        def embed_query(self, text):
            v = [0.0] * 26
            for c in text.lower():
                if "a" <= c <= "z":
                    v[ord(c) - 97] += 1.0
            return v

        def embed_documents(self, texts):
            return [self.embed_query(t) for t in texts]

    if mode == "masked":
        return
    store = PGVector(embeddings=Letters(), collection_name="day", connection=URL, use_jsonb=True, pre_delete_collection=True, create_extension=False)
    store.add_documents([Document(page_content=t, metadata={"n": i}) for i, t in enumerate(["alpha", "beta", "gamma", "delta"])], ids=["a", "b", "c", "d"])
    say("search", [(d.page_content, d.metadata) for d in store.similarity_search("gamma", k=2)])
    say("filter", [d.page_content for d in store.similarity_search("gamma", k=2, filter={"n": {"$lt": 2}})])
    say("scores", [(d.page_content, round(score, 4)) for d, score in store.similarity_search_with_score("delta", k=2)])
    say("get", sorted(d.page_content for d in store.get_by_ids(["a", "d"])))
    store.delete(ids=["a"])
    say("left", len(store.similarity_search("alpha", k=10)))
    store.drop_tables()


if __name__ == "__main__":
    np.set_printoptions(threshold=10)
    {"psycopg3": psycopg3, "psycopg2": psycopg2_, "asyncpg": asyncpg_, "sqlalchemy": sqlalchemy_, "langchain": langchain}[sys.argv[1]](sys.argv[2])
