"""`populate`: rows for the three systems and for anybody's schema; the same for the same seed; all of them, or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from pgcontract.catalog import read_catalog
from pgcontract.cli.populate import populate as command
from pgcontract.contract import drift
from pgcontract.ephemeral import template_of
from pgcontract.errors import PgContractError, UsageError
from pgcontract.model import Catalog, Name
from pgcontract.populate import InvariantBroken, Overrides, Plan, PopulateError, asking, fits, populate
from pgcontract.server import Server
from pgcontract.system import System
from tests.contract.fix_systems import ROOT, broken_invariants
from tests.integration.fix_server import eventually
from tests.integration.judging import template

pytestmark = pytest.mark.thorough

WHOLE: Mapping[str, Mapping[str, int]] = {
    "social_selling": {"messages": 1000, "message_products": 300, "product_links": 100, "analytics_events": 300},
    "messenger": {
        "messages": 1000,
        "message_delivery": 1500,
        "message_reactions": 300,
        "contacts": 50,
        "attachments": 50,
    },
    "optimizer": {"job_items": 1000, "publish_logs": 300},
}
STAMPED = ("updated_at", "started_at", "finished_at")
"""Set by triggers, to when they did it."""


@dataclass
class Database:
    """A database of a test's own."""

    connection: psycopg.Connection[Any]
    dsn: str
    catalog: Catalog
    overrides: Overrides = field(default_factory=Overrides)

    def fill(self, rows: Mapping[str, int], *, seed: int = 0, skew: Any = "zipf", **rest: Any) -> dict[str, int]:
        """Populate it."""
        plan = Plan({Name("public", table): number for table, number in rows.items()}, skew, seed)
        done = populate(self.connection, self.catalog, plan, overrides=self.overrides, **rest)
        return {str(table): number for table, number in done.items()}

    def all(self, query: str) -> list[tuple[Any, ...]]:
        """What a query returns."""
        return self.connection.execute(query.encode()).fetchall()

    def one(self, query: str) -> Any:
        """What a query of one value returns."""
        return self.all(query)[0][0]

    def digests(self, tables: Mapping[str, int]) -> dict[str, str]:
        """A digest of each table's rows."""
        found = {}
        for name in tables:
            table = self.catalog.table(Name("public", name))
            assert table is not None
            listed = ", ".join(f'"{c.name}"' for c in table.columns if c.name not in STAMPED)
            found[name] = self.one(
                f"SELECT md5(string_agg(md5(t::text), '' ORDER BY t::text)) FROM (SELECT {listed} FROM \"{name}\") AS t"
            )
        return found


@contextmanager
def opened(server: Server, name: str, system: System | None = None) -> Iterator[Database]:
    """A clone of a template."""
    with server.clone(name) as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
        ignored = [] if system is None else [system.tracking_table]
        catalog = read_catalog(connection, ignore=ignored)
        overrides = Overrides() if system is None else Overrides.of(system.populate, catalog, "system.toml")
        yield Database(connection, clone.dsn, catalog, overrides)


@contextmanager
def of_system(server: Server, system: System) -> Iterator[Database]:
    """A database with a system's schema."""
    with opened(server, server.template(template_of(system)), system) as database:
        yield database


@contextmanager
def of_schema(server: Server, schema: str) -> Iterator[Database]:
    """A database with any schema."""
    with opened(server, template(server, schema)) as database:
        yield database


def test_a_whole_system_is_filled_and_keeps_its_invariants(pgcontract_server: Server, system: System) -> None:
    """Every number is met, parents come along, all invariants hold, nothing of the schema has changed."""
    asked = WHOLE[system.name]
    with of_system(pgcontract_server, system) as database:
        before = {t.name: _count(database, str(t.name)) for t in database.catalog.tables}
        done = database.fill(asked, check=asking(system))
        assert {table: done[table] for table in asked} == asked
        for table, number in done.items():
            assert _count(database, table) - before[Name("public", table)] == number, table
        assert broken_invariants(database.dsn, system) == {}
        assert not drift(database.catalog, read_catalog(database.connection, ignore=[system.tracking_table]))


def _count(database: Database, table: str) -> int:
    return int(database.one(f'SELECT count(*) FROM "{table}"'))


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_rows_of_a_system(pgcontract_server: Server, system: System) -> None:
    """By a digest of every table; another seed gives others."""
    asked = {table: min(number, 200) for table, number in WHOLE[system.name].items()}
    digests = []
    for seed in (0, 0, 1):
        with of_system(pgcontract_server, system) as database:
            done = database.fill(asked, seed=seed)
            digests.append(database.digests({t: n for t, n in done.items() if n}))
    assert digests[0] == digests[1]
    assert all(digests[0][table] != digests[2][table] for table in digests[0])


def test_the_same_seed_gives_the_same_rows(pgcontract_server: Server) -> None:
    """By a digest that is the same on every major; another seed gives others."""
    digests = []
    for seed in (0, 0, 1):
        with of_schema(pgcontract_server, ONE_TO_ONE) as database:
            digests.append(database.digests(database.fill({"people": 100, "passports": 50}, seed=seed)))
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] == {"people": "8b62dac5357d9ecdb8ed32a429bb87cf", "passports": "c947b78369f4ea3cf469aa0a7ff49b72"}


@pytest.mark.thorough
def test_few_conversations_are_big_and_many_are_small(pgcontract_server: Server) -> None:
    """By Zipf's law the biggest of 200 has a sixth, not a two hundredth; without skew none stands out."""
    system = System.load(ROOT / "schema" / "social_selling")
    sizes = {}
    for skew in ("zipf", "none"):
        with of_system(pgcontract_server, system) as database:
            database.fill({"messages": 2000, "conversations": 200}, skew=skew)
            counted = database.all("SELECT count(*) FROM messages GROUP BY conversation_id ORDER BY 1 DESC")
            sizes[skew] = [int(number) for (number,) in counted]
    assert 200 < sizes["zipf"][0] < 400
    assert sizes["zipf"][len(sizes["zipf"]) // 2] < 10
    assert sizes["none"][0] < 30


@pytest.mark.thorough
def test_a_search_for_a_word_finds_a_small_share(pgcontract_server: Server) -> None:
    """A rare word is in few messages, and more than in none."""
    system = System.load(ROOT / "schema" / "social_selling")
    with of_system(pgcontract_server, system) as database:
        database.fill({"messages": 2000})
        words = "SELECT word, count(*) FROM messages, LATERAL regexp_split_to_table(content, ' ') AS word GROUP BY word"
        counts = sorted(int(number) for _, number in database.all(words))
    assert len(counts) > 1000
    assert counts[len(counts) // 2] < 20


def test_rows_are_added_to_those_that_are_there(pgcontract_server: Server) -> None:
    """A second run with the same seed gives other rows; the first ones are untouched."""
    schema = (
        "CREATE TABLE a (id UUID PRIMARY KEY, n INTEGER GENERATED ALWAYS AS IDENTITY UNIQUE, word TEXT NOT NULL UNIQUE)"
    )
    with of_schema(pgcontract_server, schema) as database:
        database.fill({"a": 50})
        first = set(database.all("SELECT a::text FROM a"))
        database.fill({"a": 50})
        both = set(database.all("SELECT a::text FROM a"))
        assert len(both) == 100
        assert first < both
        # the sequence goes on where the rows end
        assert database.one("INSERT INTO a (id, word) VALUES (gen_random_uuid(), 'new') RETURNING n") == 101


def test_rows_are_added_where_some_numbers_gave_none(pgcontract_server: Server) -> None:
    """A run may come further than it makes rows, and the next one begins behind it all the same."""
    schema = """
        CREATE TABLE rooms (id UUID PRIMARY KEY, seats INTEGER NOT NULL, CHECK (id::text > '6' OR seats > 1000000))
    """
    with of_schema(pgcontract_server, schema) as database:
        for count in (300, 600, 900):
            database.fill({"rooms": 300})
            assert database.one("SELECT count(*) FROM rooms") == count


COMPOSITE = """
CREATE TABLE tenants (id INTEGER PRIMARY KEY);
CREATE TABLE users (tenant_id INTEGER REFERENCES tenants (id), id INTEGER, PRIMARY KEY (tenant_id, id));
CREATE TABLE rooms (tenant_id INTEGER REFERENCES tenants (id), id INTEGER, PRIMARY KEY (tenant_id, id));
CREATE TABLE bookings (
  tenant_id INTEGER NOT NULL, room_id INTEGER NOT NULL, user_id INTEGER NOT NULL, guest_id INTEGER,
  PRIMARY KEY (tenant_id, room_id, user_id),
  FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
  FOREIGN KEY (tenant_id, guest_id) REFERENCES users (tenant_id, id),
  CHECK (guest_id <> user_id)
)
"""
TREE = """
CREATE TABLE "Tree ""of"" things" (
  "Id" BIGINT PRIMARY KEY, "the parent" BIGINT REFERENCES "Tree ""of"" things" ("Id"),
  root BIGINT NOT NULL REFERENCES "Tree ""of"" things" ("Id"), n INTEGER, m INTEGER
)
"""
TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN percent AS NUMERIC(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN code AS TEXT NOT NULL CHECK (VALUE ~ '^[A-Z]{2}-[0-9]{4,8}$');
CREATE TABLE things (
  code code PRIMARY KEY, mood mood NOT NULL, share percent NOT NULL, born DATE NOT NULL CHECK (born > '2020-01-01'),
  low INTEGER NOT NULL, high INTEGER NOT NULL CHECK (high > low), kind TEXT NOT NULL CHECK (kind IN ('a', 'b')),
  b_only TEXT, span INT4RANGE NOT NULL, tags TEXT[] NOT NULL DEFAULT '{}', doc JSONB NOT NULL DEFAULT '{}',
  address INET, amount MONEY, bits BIT(4) NOT NULL, at TIME, twice INTEGER GENERATED ALWAYS AS (low * 2) STORED,
  CHECK ((kind = 'b') = (b_only IS NOT NULL)), EXCLUDE USING gist (span WITH &&)
)
"""
PARTS = """
CREATE TABLE events (id BIGINT GENERATED ALWAYS AS IDENTITY, at TIMESTAMPTZ NOT NULL, body TEXT, PRIMARY KEY (id, at))
  PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE kinds (kind TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (kind, n)) PARTITION BY LIST (kind);
CREATE TABLE kinds_a PARTITION OF kinds FOR VALUES IN ('a', 'b')
"""
ONE_TO_ONE = """
CREATE TABLE people (id SERIAL PRIMARY KEY, name VARCHAR(20) NOT NULL);
CREATE TABLE passports (person_id INTEGER PRIMARY KEY REFERENCES people (id), number CHAR(9) NOT NULL UNIQUE);
"""
ARC = """
CREATE TABLE posts (id INTEGER PRIMARY KEY);
CREATE TABLE photos (id INTEGER PRIMARY KEY);
CREATE TABLE comments (
  id INTEGER PRIMARY KEY, post_id INTEGER REFERENCES posts (id), photo_id INTEGER REFERENCES photos (id),
  CHECK (num_nonnulls(post_id, photo_id) = 1)
)
"""


@pytest.mark.parametrize(
    ("schema", "asked"),
    [
        pytest.param(COMPOSITE, {"bookings": 300}, id="composite keys that share a column"),
        pytest.param(TREE, {'Tree "of" things': 50}, id="self-references and quoted names"),
        pytest.param(TYPES, {"things": 100}, id="enums, domains, CHECKs, ranges that may not overlap"),
        pytest.param(PARTS, {"events": 300, "kinds": 50}, id="partitions"),
        pytest.param(ONE_TO_ONE, {"passports": 100}, id="one to one"),
        pytest.param(ARC, {"comments": 100}, id="one parent of two"),
    ],
)
def test_any_schema_is_filled(pgcontract_server: Server, schema: str, asked: Mapping[str, int]) -> None:
    """Exactly as many rows as asked for, with whatever parents they need."""
    with of_schema(pgcontract_server, schema) as database:
        done = populate(
            database.connection, database.catalog, Plan({Name("public", table): n for table, n in asked.items()})
        )
        for name, number in done.items():
            quoted = '"' + name.name.replace('"', '""') + '"'
            assert database.one(f"SELECT count(*) FROM {quoted}") == number
        assert {name.name: n for name, n in done.items() if name.name in asked} == asked


def test_pairs_are_distinct_until_there_are_no_more(pgcontract_server: Server) -> None:
    """All pairs of ten and ten are found; one more is refused, and nothing is left of the hundred."""
    schema = """
    CREATE TABLE a (id INTEGER PRIMARY KEY);
    CREATE TABLE b (id INTEGER PRIMARY KEY);
    CREATE TABLE ab (a_id INTEGER REFERENCES a (id), b_id INTEGER REFERENCES b (id), PRIMARY KEY (a_id, b_id))
    """
    with of_schema(pgcontract_server, schema) as database:
        with pytest.raises(PopulateError) as caught:
            database.fill({"a": 10, "b": 10, "ab": 101})
        assert "100 of 101" in str(caught.value)
        assert database.one("SELECT count(*) FROM a") == 0
        assert database.fill({"a": 10, "b": 10, "ab": 100})["ab"] == 100


def test_statement_and_row_triggers_do_their_work(pgcontract_server: Server) -> None:
    """Rows that a trigger refuses are not made; what it derives is there."""
    schema = """
    CREATE TABLE a (id INTEGER PRIMARY KEY, total INTEGER NOT NULL DEFAULT 0 CHECK (total >= 0));
    CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER NOT NULL REFERENCES a (id), state TEXT, note TEXT NOT NULL);
    CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.state IS NULL THEN RAISE EXCEPTION 'no state' USING ERRCODE = 'check_violation'; END IF;
      UPDATE a SET total = total + 1 WHERE id = NEW.a_id;
      RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION refuse();
    """
    with of_schema(pgcontract_server, schema) as database:
        # a's own column is whatever it was at first: what the trigger adds is added
        database.fill({"a": 50})
        database.connection.execute("CREATE TEMPORARY TABLE before AS SELECT id, total FROM a")
        database.fill({"a": 0, "b": 200})
        added = "a.total - before.total"
        counted = "(SELECT count(*) FROM b WHERE a_id = a.id)"
        wrong = f"SELECT count(*) FROM a JOIN before USING (id) WHERE {added} <> {counted}"
        assert database.one("SELECT count(*) FROM b WHERE state IS NULL") == 0
        assert database.one(wrong) == 0
        assert database.one(f"SELECT sum({added}) FROM a JOIN before USING (id)") == 200
        assert database.one("SELECT count(*) FROM b") == 200


def test_what_cannot_be_made_is_refused_with_the_reason(pgcontract_server: Server) -> None:
    """Tables that need each other, a trigger that takes no row, unknown tables and numbers; nothing is written."""
    schema = """
    CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INTEGER NOT NULL);
    CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER NOT NULL REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);
    ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b (id) DEFERRABLE INITIALLY DEFERRED;
    CREATE TABLE c (id INTEGER PRIMARY KEY);
    CREATE FUNCTION no() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''never''; END';
    CREATE TRIGGER no BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION no();
    """
    cases: list[tuple[Mapping[str, int], type[PgContractError], str]] = [
        ({"a": 1}, PopulateError, "need each other"),
        ({"c": 1}, PopulateError, "never"),
        ({"nothing": 1}, UsageError, "known are a, b, c"),
        ({"c": -1}, UsageError, "0 or more"),
    ]
    with of_schema(pgcontract_server, schema) as database:
        for asked, kind, said in cases:
            with pytest.raises(kind) as caught:
                database.fill(asked)
            assert said in str(caught.value)
        assert database.fill({"c": 0}) == {"c": 0}


def test_a_role_that_may_not_read_is_told_so(pgcontract_server: Server) -> None:
    """In words, and not by the driver's error."""
    with of_schema(pgcontract_server, "CREATE TABLE a (id INTEGER PRIMARY KEY)") as database:
        database.connection.execute("SET ROLE pg_monitor")
        with pytest.raises(UsageError, match="may not fill") as caught:
            database.fill({"a": 5})
        assert "table a" in (caught.value.seen or "")


def test_an_expression_of_the_system_is_used_and_judged(pgcontract_server: Server) -> None:
    """It gives the column's values; one that the CHECK refuses is named, and so is an unknown column."""
    schema = "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER NOT NULL CHECK (n < 50))"
    with of_schema(pgcontract_server, schema) as database:
        database.overrides = Overrides.of({"a.n": "n % 7", "a": 20}, database.catalog, "system.toml")
        database.fill({"a": 20})
        assert database.one("SELECT count(DISTINCT n) FROM a") == 7
        database.overrides = Overrides.of({"a.n": "n"}, database.catalog, "system.toml")
        with pytest.raises(UsageError) as caught:
            database.fill({"a": 100})
        assert "CHECK" in str(caught.value)
        for settings in ({"a.x": "1"}, {"b": 1}, {"a.n": "1 +"}):
            with pytest.raises(UsageError):
                Overrides.of(settings, database.catalog, "system.toml")


def test_an_expression_of_the_system_says_what_the_solver_does_not_find(pgcontract_server: Server) -> None:
    """A document with a key, a type that nobody knows, and a value that a trigger insists on; parents' ones, too."""
    schema = """
    CREATE TABLE a (
      id INTEGER PRIMARY KEY,
      document JSONB NOT NULL CHECK (document ? 'kind'),
      vector TSVECTOR NOT NULL,
      state TEXT NOT NULL
    );
    CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER NOT NULL REFERENCES a (id));
    CREATE FUNCTION new() RETURNS TRIGGER LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.state <> 'new' THEN RAISE EXCEPTION 'begin as new'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER new BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION new();
    """
    said = {"a.document": "jsonb_build_object('kind', n)", "a.vector": "to_tsvector('simple', n::text)"}
    with of_schema(pgcontract_server, schema) as database:
        with pytest.raises(PopulateError) as caught:
            database.fill({"b": 100})
        assert "[populate]" in (caught.value.remedy or "")
        database.overrides = Overrides.of(said | {"a.state": "'new'"}, database.catalog, "system.toml")
        assert database.fill({"b": 100, "a": 50}) == {"a": 50, "b": 100}
        assert database.one("SELECT count(DISTINCT document) FROM a WHERE vector <> ''") == 50


def test_a_broken_invariant_leaves_nothing(pgcontract_server: Server, tmp_path: Path) -> None:
    """It is asked before the commit."""
    (tmp_path / "001-a.sql").write_text("SELECT 1;")
    (tmp_path / "invariants").mkdir()
    (tmp_path / "invariants" / "few.sql").write_text("SELECT id FROM a WHERE id > 5;")
    system = System("shop", tmp_path, tmp_path, tmp_path / "contract.toml", invariants=tmp_path / "invariants")
    with of_schema(pgcontract_server, "CREATE TABLE a (id INTEGER PRIMARY KEY)") as database:
        assert database.fill({"a": 5}, check=asking(system)) == {"a": 5}
        with pytest.raises(InvariantBroken) as caught:
            database.fill({"a": 5}, check=asking(system))
        assert "few.sql" in str(caught.value)
        assert _count(database, "a") == 5


def test_too_little_room_is_told_before_anything_is_written(pgcontract_server: Server) -> None:
    """More bytes than are allowed, or than the disk has."""
    with of_schema(pgcontract_server, "CREATE TABLE a (id INTEGER PRIMARY KEY, content TEXT NOT NULL)") as database:
        seen: list[int] = []
        for rows, most in ((1_000_000, 10_000_000), (10**14, None)):
            with pytest.raises(PopulateError) as caught:
                database.fill(
                    {"a": rows},
                    room=fits(database.connection, database.catalog, most),
                    progress=lambda _t, done, rows: seen.append(done) if rows > 200 else None,
                )
            assert "GB" in str(caught.value) or "MB" in str(caught.value) or "TB" in str(caught.value)
        assert seen == []
        assert _count(database, "a") == 0


@pytest.fixture
def social_selling_target(pgcontract_server: Server) -> Iterator[Database]:
    """A database for the command to act on."""
    with of_system(pgcontract_server, System.load(ROOT / "schema" / "social_selling")) as database:
        yield database


def run(*words: str) -> tuple[int, str]:
    """Run the command; its exit code, and what it says."""
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, words)
    if isinstance(result.exception, PgContractError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_command_fills_a_database_and_says_so(social_selling_target: Database) -> None:
    """Numbers with underscores, several tables, plain lines where there is no terminal."""
    path = str(ROOT / "schema" / "social_selling")
    words = [
        path,
        "--dsn",
        social_selling_target.dsn,
        "--rows",
        "messages=1_000,notifications=10",
        "--rows",
        "users=30",
    ]
    code, said = run(*words)
    assert code == 0
    assert "messages: 1,000 of 1,000 rows" in said
    assert "all invariants hold" in said
    assert _count(social_selling_target, "users") == 30


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rows", "nothing=5"], "There is no such table"),
        (["--rows", "messages=many"], "no number of rows"),
        (["--rows", "messages"], "no number of rows"),
        (["--rows", "messages=5", "--rows", "users=1,messages=7"], "twice"),
        ([], "How many rows"),
        (["--rows", "messages=1000000", "--max-size", "1MB"], "--max-size"),
        (["--rows", "messages=1", "--max-size", "huge"], "no size"),
    ],
)
def test_bad_input_is_a_message_and_exit_code_2(social_selling_target: Database, words: list[str], said: str) -> None:
    """Never a traceback, and nothing is written."""
    code, told = run(str(ROOT / "schema" / "social_selling"), "--dsn", social_selling_target.dsn, *words)
    assert code == 2
    assert said in told
    assert _count(social_selling_target, "users") == 0


def test_a_database_that_was_never_migrated_is_told_so(pgcontract_server: Server) -> None:
    """Not that the first column of which the system says something is not there."""
    with of_schema(pgcontract_server, "SELECT 1") as database:
        code, told = run(str(ROOT / "schema" / "social_selling"), "--dsn", database.dsn, "--rows", "messages=5")
    assert (code, "no tables" in told, "migrate up" in told) == (2, True, True)


def test_production_is_refused(social_selling_target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Marked by the environment, or by the database's own setting."""
    words = [str(ROOT / "schema" / "social_selling"), "--dsn", social_selling_target.dsn, "--rows", "users=1"]
    with monkeypatch.context() as marked:
        marked.setenv("PGCONTRACT_ENV", "production")
        assert run(*words)[0] == 2
    name = social_selling_target.connection.info.dbname
    social_selling_target.connection.execute(
        f"ALTER DATABASE \"{name}\" SET pgcontract.environment = 'production'".encode()
    )
    code, said = run(*words)
    assert code == 2
    assert "production" in said
    assert _count(social_selling_target, "users") == 0


@pytest.mark.thorough
@pytest.mark.usefixtures("hearing")
@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL", "lost connection"])
def test_what_is_interrupted_is_undone(social_selling_target: Database, how: str) -> None:
    """Not a row is left, no lock is held, and the next run succeeds."""
    database = social_selling_target
    words = [str(ROOT / "schema" / "social_selling"), "--dsn", database.dsn, "--rows"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pgcontract", "populate", *words, "messages=3_000_000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    working = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND query LIKE 'INSERT INTO \"public\".\"messages\"%' AND now() - query_start > interval '0.3 s'"
    )
    if not eventually(lambda: bool(database.one(working)), within=60):
        process.kill()
        pytest.fail(process.communicate()[0])
    if how == "lost connection":
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        database.all(f"SELECT pg_terminate_backend(pid) {others}")
    else:
        process.send_signal(signal.Signals[how])
    said, _ = process.communicate(timeout=60)
    assert process.returncode == {"SIGINT": 130, "SIGKILL": -9, "lost connection": 2}[how], said
    assert "Traceback" not in said
    gone = (
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    assert eventually(lambda: bool(database.one(gone)), within=30)
    assert _count(database, "messages") == _count(database, "users") == 0
    assert run(*words, "messages=100")[0] == 0


@pytest.mark.thorough
def test_rows_are_spread_over_partitions(pgcontract_server: Server) -> None:
    """Of ranges with a gap between them, of lists with a DEFAULT, of two levels: no partition is left empty."""
    schema = """
        CREATE TABLE m (id INTEGER, at DATE NOT NULL, "odd "" name" TEXT) PARTITION BY RANGE (at);
        CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE TABLE m2 PARTITION OF m FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
        CREATE TABLE l (id INTEGER, "k; --" TEXT NOT NULL) PARTITION BY LIST ("k; --");
        CREATE TABLE l1 PARTITION OF l FOR VALUES IN ('a''b', '"');
        CREATE TABLE l2 PARTITION OF l FOR VALUES IN ('c');
        CREATE TABLE l3 PARTITION OF l DEFAULT;
        CREATE TABLE n (id INTEGER, a INTEGER NOT NULL, b TEXT NOT NULL, PRIMARY KEY (id, a, b)) PARTITION BY RANGE (a);
        CREATE TABLE n1 PARTITION OF n FOR VALUES FROM (0) TO (100) PARTITION BY LIST (b);
        CREATE TABLE n11 PARTITION OF n1 FOR VALUES IN ('x');
        CREATE TABLE n12 PARTITION OF n1 FOR VALUES IN ('y', 'z');
        CREATE TABLE n2 PARTITION OF n FOR VALUES FROM (100) TO (MAXVALUE);
        CREATE TABLE only_key (at INTEGER PRIMARY KEY) PARTITION BY RANGE (at);
        CREATE TABLE o1 PARTITION OF only_key FOR VALUES FROM (0) TO (1000);
    """
    with of_schema(pgcontract_server, schema) as database:
        database.fill(dict.fromkeys(("m", "l", "n", "only_key"), 60))
        for table, partitions in {"m": 2, "l": 3, "n": 3, "only_key": 1}.items():
            counts = [n for (n,) in database.all(f"SELECT count(*) FROM {table} GROUP BY tableoid")]
            assert counts == [60 // partitions] * partitions
