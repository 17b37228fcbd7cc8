"""What the reader of a page has before it begins, and what is run in the place of what takes hours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg
from starlette.applications import Starlette

from pgcontract.database import Database
from pgcontract.inputs import existing
from pgcontract.migrations import Runner, prepare
from pgcontract.server import SUPPORTED, find_binaries, start
from pgcontract.system import System
from tests.contract.fix_systems import ROOT
from tests.docs.pages import Follower

Reader = Callable[[Follower], AbstractContextManager[None]]

ORDERS = """
CREATE TYPE order_status AS ENUM ('open', 'paid');
CREATE TABLE customers (id BIGINT PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE orders (
  id BIGINT PRIMARY KEY,
  customer_id BIGINT NOT NULL REFERENCES customers,
  status order_status NOT NULL DEFAULT 'open'
);
"""
DROPPED = "\n-- ROLLBACK\nDROP TABLE orders, customers;\nDROP TYPE order_status;\n"
DBMATE = f"-- migrate:up\n{ORDERS}\n-- migrate:down\nDROP TABLE orders, customers;\n"
HASHED = f"$2b$12${'x' * 53}"
A_USER = "INSERT INTO users (email, password_hash, name) VALUES ('a@example.com', %s, 'A') RETURNING id"
BENCHMARK = "def test_sum(benchmark):\n    benchmark(sum, range(1000))\n"


@dataclass(frozen=True, slots=True)
class Person:
    """What an application may call a user."""

    id: UUID
    email: str


@contextmanager
def schemas(reader: Follower) -> Iterator[None]:
    """The project's own folder ``schema``; what builds it makes nothing else of it."""
    shutil.copytree(ROOT / "schema", reader.folder / "schema")
    yield


@contextmanager
def shop(reader: Follower) -> Iterator[None]:
    """A small system ``schema/shop`` in a repository; the database has it."""
    migrations = reader.folder / "schema/shop/migrations"
    migrations.mkdir(parents=True)
    (migrations / "001-orders.sql").write_text(ORDERS + DROPPED)
    Runner(os.environ["DATABASE_URL"], migrations).up()
    run(reader, "pgcontract", "freeze", "schema/shop")
    committed(reader)
    yield


@contextmanager
def branch(reader: Follower) -> Iterator[None]:
    """A clone whose branch has one migration more than its origin, with the contract frozen anew."""
    with shop(reader):
        (reader.folder / "pyproject.toml").write_text('[tool.pgcontract]\nsystems = ["schema/shop"]\n')
        run(reader, "git", "update-ref", "refs/remotes/origin/main", "HEAD")
        more = "ALTER TABLE customers ADD CONSTRAINT chk_email CHECK (email <> '');"
        undone = "ALTER TABLE customers DROP CONSTRAINT chk_email;"
        migration = reader.folder / "schema/shop/migrations/002-email.sql"
        migration.write_text(f"{more}\n-- ROLLBACK\n{undone}\n")
        run(reader, "pgcontract", "freeze")
        yield


@contextmanager
def in_migrations_of_dbmate(reader: Follower) -> Iterator[None]:
    """Migrations below ``db``; a database ``shop`` that has them, on a server that this machine's pg_dump knows."""
    migrations = reader.folder / "db/migrations"
    migrations.mkdir(parents=True)
    (migrations / "20240131123000_orders.sql").write_text(DBMATE)
    dump = Path(existing.pg_dump(min(SUPPORTED), None))
    before = dict(os.environ)
    with start(find_binaries(None, pg_bin=dump.resolve().parent)) as server:
        os.environ |= {"PGHOST": str(server.address.host), "PGPORT": str(server.address.port)}
        os.environ["PATH"] = f"{dump.parent}{os.pathsep}{os.environ['PATH']}"
        with psycopg.connect(server.address.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE shop")
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(ORDERS.encode())
        try:
            yield
        finally:
            os.environ |= before


@contextmanager
def releases(reader: Follower) -> Iterator[None]:
    """The project's own schemas in a repository with a branch and a tag, a variant, and two records of a benchmark."""
    with schemas(reader):
        committed(reader)
        run(reader, "git", "tag", "v1.0")
        shutil.copytree(reader.folder / "schema/messenger", reader.folder / "variant")
        (reader.folder / "test_sum.py").write_text(BENCHMARK)
        for name in ("before", "after"):
            run(reader, sys.executable, "-m", "pytest", "-n", "0", f"--benchmark-json={name}.json", "test_sum.py")
        yield


@contextmanager
def messengers(reader: Follower) -> Iterator[None]:
    """The project's own schemas, and messenger's in a database of its name, to which there is a connection."""
    with schemas(reader):
        prepare("postgresql:///messenger", System.load(reader.folder / "schema/messenger"))
        with psycopg.connect("postgresql:///messenger") as connection:
            reader.names["connection"] = connection
            yield


@contextmanager
def index_of_packages(reader: Follower) -> Iterator[None]:
    """What pip asks for this package: an index has what is released, this has what is there."""
    wheels = reader.folder.parent / f"{reader.folder.name}-wheels"
    run(reader, sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT))
    os.environ["PIP_FIND_LINKS"] = str(wheels)
    try:
        yield
    finally:
        del os.environ["PIP_FIND_LINKS"]


@contextmanager
def applications(reader: Follower) -> Iterator[None]:
    """An application with databases of two of the project's schemas, and what its code calls by short names."""
    places = {"social_selling": os.environ["DATABASE_URL"], "optimizer": "postgresql:///optimizer"}
    with schemas(reader):
        for name, dsn in places.items():
            prepare(dsn, System.load(reader.folder / "schema" / name))
        with psycopg.connect(places["social_selling"]) as connection:
            connection.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance NUMERIC NOT NULL)")
            connection.execute("INSERT INTO accounts VALUES (1, 10), (2, 10)")
            (known,) = connection.execute(A_USER, [HASHED]).fetchone() or (None,)
        (reader.folder / "dump.sql").write_text(ORDERS)
        shop = reader.folder / "schema/shop/migrations"
        shop.mkdir(parents=True)
        (shop / "001-orders.sql").write_text(ORDERS + DROPPED)
        with psycopg.connect(places["optimizer"]) as connection, Database(places["social_selling"]) as database:
            reader.names.update(
                User=Person,
                amount=1,
                app=Starlette(),
                connection=connection,
                database=database,
                hashed=HASHED,
                id=known,
                rewritten=lambda _: None,
                source=1,
                target=2,
            )
            yield


@contextmanager
def newcomers(reader: Follower) -> Iterator[None]:
    """What README's first command makes, the project's own schemas, and a schema of the reader's own."""
    with schemas(reader):
        (reader.folder / ".venv").mkdir()
        (reader.folder / ".venv/bin").symlink_to(Path(sys.executable).parent)
        (reader.folder / "schema.sql").write_text(ORDERS)
        (reader.folder / "db/migrations").mkdir(parents=True)
        (reader.folder / "db/migrations/001-orders.sql").write_text(ORDERS + DROPPED)
        Runner(os.environ["DATABASE_URL"], reader.folder / "db/migrations").up()
        yield


def committed(reader: Follower) -> None:
    """Make the reader's folder a repository, with all in it."""
    run(reader, "git", "init", "-q", "-b", "main")
    run(reader, "git", "add", ".")
    run(reader, "git", "-c", "user.name=Reader", "-c", "user.email=reader@example.com", "commit", "-qm", "A schema")


def run(reader: Follower, *words: str) -> None:
    """A command in the reader's folder."""
    subprocess.run(words, cwd=reader.folder, check=True, capture_output=True)


READERS: Final[Mapping[str, Reader]] = {
    "README.md": newcomers,
    "docs/any-schema.md": in_migrations_of_dbmate,
    "docs/ci.md": branch,
    "docs/compare.md": releases,
    "docs/load.md": schemas,
    "docs/migrations.md": shop,
    "docs/mutation.md": schemas,
    "docs/populate.md": messengers,
    "docs/report.md": schemas,
    "docs/reviewing.md": shop,
    "docs/tutorial.md": index_of_packages,
    "docs/typed-layer.md": applications,
    "schema/messenger/README.md": schemas,
    "schema/optimizer/README.md": schemas,
    "schema/social_selling/README.md": schemas,
}

INSTALLED: Final = "python3 -m venv .venv && .venv/bin/pip install -q"
BY_CI: Final = "true  # .ci/run runs this very line"
INSTEAD: Final[Mapping[str, Mapping[str, str]]] = {
    "README.md": {
        f"{INSTALLED} -e . && .venv/bin/pgcontract verify schema/social_selling": BY_CI,
        f"{INSTALLED} -e '.[health]' && .venv/bin/python -m pytest": BY_CI,
        ".venv/bin/pgcontract verify schema/social_selling": (
            ".venv/bin/pgcontract verify schema/social_selling --examples 3"
        ),
        "pgcontract init": "pgcontract init db --examples 3",
        "pgcontract mutate schema/optimizer": "pgcontract mutate schema/optimizer --sample 20",
        "pgcontract bench plans schema/optimizer": "pgcontract bench plans schema/optimizer --rows 1000",
        "pgcontract report results/ -o report.html": (
            "mkdir results && pgcontract verify schema/optimizer --only jobs --examples 1 --json results/verify.json"
            " && pgcontract report results/ -o report.html"
        ),
        'pgcontract populate schema/optimizer --dsn "$DATABASE_URL" --rows job_items=100000': (
            'pgcontract populate schema/optimizer --dsn "$DATABASE_URL" --rows job_items=1000'
        ),
        'pgcontract health serve --dsn "$DATABASE_URL"': 'pgcontract health serve --dsn "$DATABASE_URL" --port 0',
        "pgcontract server install 15 16 17 18": "pgcontract server install 18",
    },
    "docs/compare.md": {
        "pgcontract bench compare 15 18 --path schema/messenger": (
            "pgcontract bench compare 15 18 --path schema/messenger --rows 300 --only chat_members --floor 100"
        ),
        "pgcontract bench compare git:main schema/messenger": (
            "pgcontract bench compare git:main schema/messenger --rows 300 --only chat_members --floor 100"
        ),
        "pgcontract bench compare git:v1.0 git:HEAD --path schema/messenger": (
            "pgcontract bench compare git:v1.0 git:HEAD --path schema/messenger"
            " --rows 300 --only chat_members --floor 100"
        ),
        "pgcontract bench compare schema/messenger /tmp/variant --pg 17": (
            "pgcontract bench compare schema/messenger variant --rows 300 --only chat_members --floor 100"
        ),
        "pgcontract bench compare before.json after.json": (
            "pgcontract bench compare before.json after.json --floor 100"
        ),
    },
    # long enough for a stall of half a second, which is the machine's, to be within what a kept rate allows
    "docs/load.md": {
        "pgcontract bench load schema/messenger --rate 50 --seconds 30 --users 1000 --p99 20": (
            "pgcontract bench load schema/messenger --rate 10 --seconds 10 --users 20 --p99 10000"
        ),
        "pgcontract bench load schema/messenger --find-limit": (
            "pgcontract bench load schema/messenger --find-limit --rate 10 --seconds 10 --users 20"
        ),
    },
    "docs/migrations.md": {
        "PGCONTRACT_KILLS=1000 PGCONTRACT_KILLS_KIND=SIGKILL pytest -n 0 -s -m thorough"
        " tests/integration/test_migrate_faults.py -k killed": (
            f"cd {ROOT} && PGCONTRACT_KILLS=5 PGCONTRACT_KILLS_KIND=SIGKILL pytest -n 0 -s -m thorough"
            " tests/integration/test_migrate_faults.py -k killed"
        ),
    },
    "docs/mutation.md": {
        "pgcontract mutate schema/social_selling": "pgcontract mutate schema/social_selling --sample 20",
        "pgcontract mutate schema/social_selling --kind check --sample 50": (
            "pgcontract mutate schema/social_selling --kind check --sample 5"
        ),
        "pgcontract mutate schema/social_selling --operators schemaanalyst --json mutants.json": (
            "pgcontract mutate schema/social_selling --operators schemaanalyst --json mutants.json --sample 20"
        ),
    },
    "docs/populate.md": {
        "pgcontract populate schema/messenger --dsn postgresql:///messenger"
        " --rows messages=1_000_000,message_delivery=2_000_000": (
            "pgcontract populate schema/messenger --dsn postgresql:///messenger"
            " --rows messages=1_000,message_delivery=2_000"
        ),
    },
    "docs/report.md": {
        **{
            f"pgcontract verify schema/messenger --pg {pg} --json results/verify-{pg}.json": (
                f"pgcontract verify schema/messenger --pg {pg} --only chats --examples 1"
                f" --json results/verify-{pg}.json"
            )
            for pg in (15, 18)
        },
        "pgcontract mutate schema/messenger --json results/mutate.json": (
            "pgcontract mutate schema/messenger --json results/mutate.json --sample 20"
        ),
        "pgcontract bench plans schema/messenger --worth --json results/plans.json": (
            "pgcontract bench plans schema/messenger --worth --json results/plans.json --rows 1000 --only chat_list"
        ),
        "pgcontract bench compare 15 18 --path schema/messenger --json results/compare.json": (
            "pgcontract bench compare 15 18 --path schema/messenger --json results/compare.json"
            " --rows 300 --only chat_members --floor 100"
        ),
    },
    "docs/typed-layer.md": {
        'pgcontract health serve schema/shop --dsn "$DATABASE_URL" --port 8080': (
            'pgcontract health serve schema/shop --dsn "$DATABASE_URL" --port 0'
        ),
    },
    **{
        f"schema/{name}/README.md": {
            f"pgcontract verify schema/{name}": f"pgcontract verify schema/{name} --examples 3"
        }
        for name in ("messenger", "optimizer", "social_selling")
    },
}
"""By page and command. What each of them is to do does not hang on how much of it there is."""

ELSEWHERE: Final[Mapping[str, str]] = {
    "CONTRIBUTING.md": ".ci/run",
    "docs/operations.md": "tests/contract/test_operations.py",
    "docs/testing.md": "tests/plugin/test_fixtures.py",
}
"""Pages whose code is run by something else."""
