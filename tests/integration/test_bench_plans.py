"""``pgcontract bench plans`` as people run it: what it prints, how it ends, and what breaks a promise."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgcontract.ephemeral import ServerChoice, Stage, staged
from pgcontract.execution import Checked, check, readied, worth_of
from pgcontract.execution.readiness import NotReady
from pgcontract.execution.values import values_of
from pgcontract.queries import Query, QueryError, parse_query
from pgcontract.server import Binaries, Server, settings, start
from pgcontract.system import System
from tests.integration.test_command_verify import pgcontract, refused

pytestmark = pytest.mark.thorough

SCHEMA = """
CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  room_id INTEGER NOT NULL REFERENCES rooms (id),
  written_at TIMESTAMPTZ NOT NULL,
  word TEXT NOT NULL
);
CREATE INDEX idx_notes_room ON notes (room_id, written_at DESC);
"""
ROWS = """
INSERT INTO rooms SELECT n, 'room ' || n FROM generate_series(1, 200) AS n;
INSERT INTO notes
SELECT n, 1 + (n * n) % 199, '2025-01-01'::TIMESTAMPTZ + n * INTERVAL '1 minute', md5(n::TEXT)
FROM generate_series(1, 20000) AS n;
"""
PAGE = """\
-- A room's notes, the latest first.
-- uses: idx_notes_room
-- $1 integer: the room; from notes.room_id
SELECT id, word FROM notes WHERE room_id = $1 ORDER BY written_at DESC LIMIT 50
"""
WRITE = """\
-- A note is written.
-- uses: rooms_pkey
-- rows: exactly 1
-- writes
-- pages: at most 20
-- wal: at most 2000 bytes
-- $1 integer: the room; from notes.room_id
INSERT INTO notes (id, room_id, written_at, word) VALUES (1000000, $1, now(), 'x')
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A system of two tables and one hot query."""
    root = tmp_path / "house"
    (root / "migrations").mkdir(parents=True)
    (root / "queries").mkdir()
    (root / "migrations" / "001-house.sql").write_text(f"{SCHEMA}\n-- ROLLBACK\nDROP TABLE notes, rooms;\n")
    (root / "queries" / "page.sql").write_text(PAGE)
    (root / "system.toml").write_text("[bench]\nnotes = 1\nrooms = 0.05\n")
    return root


@pytest.fixture
def stage(folder: Path, pgcontract_server: Server) -> Iterator[Stage]:
    """The system on the run's server."""
    with staged(System.load(folder), pgcontract_server, ServerChoice()) as found:
        yield found


@pytest.fixture
def house(stage: Stage) -> Iterator[psycopg.Connection]:
    """A database with rows in it."""
    with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
        connection.execute(ROWS)
        yield connection


def query(text: str) -> Query:
    """A hot query."""
    return parse_query(text, Path("page.sql"))


def checked(connection: psycopg.Connection, text: str) -> Checked:
    """What becomes of one query."""
    readied(connection)
    (found,) = check(connection, [query(text)], 20_000)
    return found


def problems(found: Checked) -> str:
    """All that is wrong."""
    return "; ".join(problem for one in found.measured for problem in one.problems)


def test_a_promise_that_is_kept(house: psycopg.Connection) -> None:
    """By the index; no page more than the bound and its slack; the largest parent first."""
    found = checked(house, PAGE)
    assert (found.verdict, problems(found)) == ("kept", "")
    largest = found.measured[0]
    assert (largest.size, largest.plan, largest.rows) == ("large", "custom", 50)
    assert 0 < largest.bound <= largest.pages + 2
    assert "Index Scan on notes by idx_notes_room" in largest.fingerprint


@pytest.mark.parametrize(
    ("ddl", "text", "said"),
    [
        ("DROP INDEX idx_notes_room; CREATE INDEX idx_notes_room ON rooms (name)", PAGE, "read from end to end"),
        ("DROP INDEX idx_notes_room; CREATE INDEX idx_notes_room ON notes (room_id)", PAGE, "are sorted"),
        ("DROP INDEX idx_notes_room; CREATE INDEX idx_notes_room ON notes (written_at DESC)", PAGE, "are promised"),
        ("", PAGE.replace("WHERE room_id = $1", "WHERE room_id + 0 = $1"), "idx_notes_room is promised and not used"),
        ("", PAGE.replace("WHERE ", "WHERE word LIKE '%aa%' AND "), "pages are touched"),
        ("", PAGE.replace("-- uses", "-- rows: at most 49\n-- uses"), "50 rows, and at most 49"),
    ],
)
def test_a_promise_that_is_broken(house: psycopg.Connection, ddl: str, text: str, said: str) -> None:
    """By an index that is gone, lost a column or its order, or by a query that changed; the plan is shown."""
    house.execute(ddl.encode())
    found = checked(house, text)
    assert found.verdict == "broken"
    assert said in problems(found)
    assert "Buffers:" in next(one.shown for one in found.measured if one.problems)


def test_what_writes_is_counted_with_its_foreign_keys_and_rolled_back(house: psycopg.Connection) -> None:
    """The parent's index is read by the foreign key only; nothing is left of the row."""
    found = checked(house, WRITE)
    assert (found.verdict, problems(found)) == ("kept", "")
    assert all(one.pages > 3 and one.wal > 100 for one in found.measured)
    assert house.execute("SELECT count(*) FROM notes WHERE id = 1000000").fetchone() == (0,)


def test_what_others_log_meanwhile_does_not_count(house: psycopg.Connection, stage: Stage) -> None:
    """The log is the server's: a session that writes to another database all the time breaks no promise here."""
    done = threading.Event()

    def writing() -> None:
        with stage.clone() as elsewhere, psycopg.connect(elsewhere.dsn, autocommit=True) as other:
            other.execute("CREATE TABLE scribbles (word TEXT)")
            while not done.is_set():
                other.execute("INSERT INTO scribbles SELECT repeat('x', 500) FROM generate_series(1, 200)")

    with ThreadPoolExecutor(max_workers=1) as pool:
        busy = pool.submit(writing)
        try:
            found = checked(house, WRITE)
        finally:
            done.set()
        busy.result()
    assert (found.verdict, problems(found)) == ("kept", "")


@pytest.mark.parametrize(
    ("ddl", "text", "said"),
    [
        ("", WRITE.replace("at most 20", "at most 3"), "pages are touched, and at most 3"),
        ("", WRITE.replace("2000 bytes", "20 bytes"), "bytes are logged, and at most 20"),
        ("", WRITE.replace("exactly 1", "exactly 2"), "1 row, and exactly 2"),
        (
            (
                "CREATE FUNCTION f() RETURNS TRIGGER LANGUAGE plpgsql AS"
                " 'BEGIN PERFORM FROM notes WHERE word = NEW.word || 1; RETURN NULL; END';"
                " CREATE TRIGGER t AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION f()"
            ),
            WRITE,
            "notes is read from end to end by a trigger",
        ),
        ("ALTER TABLE notes DROP CONSTRAINT notes_room_id_fkey", WRITE, "rooms_pkey is promised and not used"),
        ("", WRITE.partition("INSERT")[0] + "SELECT id FROM rooms WHERE id = $1", "nothing was written"),
    ],
)
def test_a_writing_promise_that_is_broken(house: psycopg.Connection, ddl: str, text: str, said: str) -> None:
    """By pages, log, rows, what a trigger reads, and a foreign key that is gone."""
    house.execute(ddl.encode())
    found = checked(house, text)
    assert found.verdict == "broken"
    assert said in problems(found)


def test_whole_pages_in_the_log_are_no_querys_doing(
    folder: Path, test_binaries: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a server logs them, as one in production does, bytes are not judged; pages are."""
    monkeypatch.setitem(settings.DURABLE, "autovacuum", "off")
    with (
        start(test_binaries, durable=True) as server,
        staged(System.load(folder), server, ServerChoice()) as stage,
        stage.clone() as clone,
        psycopg.connect(clone.dsn, autocommit=True) as connection,
    ):
        connection.execute(ROWS)
        assert checked(connection, WRITE.replace("2000 bytes", "20 bytes")).verdict == "kept"
        assert "pages are touched" in problems(checked(connection, WRITE.replace("at most 20\n", "at most 3\n")))


def test_an_index_on_which_the_plan_for_all_values_depends(house: psycopg.Connection) -> None:
    """What a session arrives at is judged as well: one value makes the half of a table, and all others a row each."""
    house.execute("UPDATE notes SET room_id = 1 WHERE id % 2 = 0")
    found = checked(house, PAGE)
    assert found.verdict == "kept"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PAGE.replace("idx_notes_room", "idx_gone"), "index that is not there"),
        (PAGE.replace("FROM notes WHERE", "FROM gone WHERE"), "cannot be executed"),
        (PAGE.replace("from notes.room_id", "from notes.gone"), "source of $1 cannot be asked"),
        (
            "-- It.\n-- uses: idx_notes_room\nSELECT nextval('counted') AS n",
            "writes that says that it reads",
        ),
    ],
)
def test_what_cannot_be_checked_is_an_error(house: psycopg.Connection, text: str, said: str) -> None:
    """With the file and what to do; a volatile function is found out by a read-only transaction."""
    house.execute("CREATE SEQUENCE counted")
    readied(house)
    with pytest.raises(QueryError) as caught:
        check(house, [query(text)], 20_000)
    assert said in caught.value.what
    assert "page.sql" in str(caught.value.where)
    assert house.execute("SELECT 1").fetchone() == (1,)


def test_without_rows_there_is_nothing_to_show(stage: Stage) -> None:
    """The verdict is neither kept nor broken."""
    with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
        assert checked(connection, PAGE).verdict == "empty"


def test_rows_that_are_held_back_are_refused(house: psycopg.Connection) -> None:
    """Another session's transaction, whose rows VACUUM may not freeze."""
    with psycopg.connect(house.info.dsn) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        house.execute("DELETE FROM notes WHERE id % 2 = 0")
        with pytest.raises(NotReady, match="not frozen"):
            readied(house)
    with psycopg.connect(house.info.dsn) as within, pytest.raises(NotReady, match="outside of transactions"):
        readied(within)


SOURCES = """
CREATE TABLE lists (owner INTEGER, kind TEXT, tags TEXT[], body TEXT);
INSERT INTO lists
SELECT
  owner, CASE WHEN n > 2 THEN 'many' ELSE 'few' END, ARRAY['all', 'of ' || owner], 'common words of number' || owner
FROM generate_series(1, 9) AS owner CROSS JOIN LATERAL generate_series(1, owner) AS n;
"""


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        # the value that most rows have, the middle one, the one that the fewest have
        (["integer: it; from lists.owner"], [("9",), ("5",), ("1",)]),
        (["integer: it; from lists.owner where owner < 4"], [("3",), ("2",), ("1",)]),
        # of one table: from the same rows
        (
            ["integer: it; from lists.owner", "text: kind; from lists.kind"],
            [("9", "many"), ("4", "few"), ("3", "many")],
        ),
        (["integer: it; from (SELECT 4)", "text: kind; from lists.kind where owner = $1"], [("4", "few")]),
        (["integer: it; from (VALUES (1), (2), (3), (4), (5))"], [("1",), ("3",), ("5",)]),
        (
            ["integer: it; from lists.owner", "integer: more; from (SELECT $1 + 1)"],
            [("9", "10"), ("5", "6"), ("1", "2")],
        ),
        (["text: tag; from elements of lists.tags"], [("all",), ("of 6",), ("of 1",)]),
        (["text: words; from words of lists.body where owner = 9"], [("common number9",)]),
        (["text: part; from parts of lists.body where owner = 9"], [("%n words of n%",)]),
        (["integer: it; from 1 + 1"], [("2",)]),
        (["integer: it; from lists.owner where owner > 10"], []),
        (["integer: it; from (SELECT NULL::INTEGER)"], []),
    ],
)
def test_values_of_a_large_a_middling_and_a_small_parent(
    house: psycopg.Connection, sources: list[str], expected: list[tuple[str, ...]]
) -> None:
    """By how many rows have them; in the order of the source's own query; depending on those before."""
    house.execute(SOURCES)
    header = "".join(f"-- ${number} {source}\n" for number, source in enumerate(sources, 1))
    asked = " AND ".join(f"${number} IS NULL" for number in range(1, len(sources) + 1))
    found = values_of(house, query(f"-- It.\n-- uses: i\n{header}SELECT 1 WHERE {asked}"))
    assert [values for _, values in found] == expected
    assert [size for size, _ in found] == ["large", "middling", "small"][: len(expected)]


def test_levels_are_estimated_where_nobody_may_look_into_pages(house: psycopg.Connection) -> None:
    """As well as the size of an index allows, and that is told."""
    readied(house)
    house.execute("SET ROLE pg_read_all_data")
    (found,) = check(house, [query(PAGE)], 20_000)
    assert (found.verdict, found.estimated) == ("kept", True)
    house.execute("RESET ROLE")
    (found,) = check(house, [query(PAGE)], 20_000)
    assert (found.verdict, found.estimated) == ("kept", False)


PARTED = """
DROP TABLE notes;
CREATE TABLE notes (id INTEGER, room_id INTEGER NOT NULL, written_at TIMESTAMPTZ NOT NULL, word TEXT NOT NULL)
  PARTITION BY RANGE (written_at);
CREATE TABLE notes_2024 PARTITION OF notes FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE notes_2025 PARTITION OF notes FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX idx_notes_room ON notes (room_id, written_at DESC);
INSERT INTO notes
SELECT n, 1 + (n * n) % 199, '2024-01-01 UTC'::TIMESTAMPTZ + n * INTERVAL '1 hour', md5(n::TEXT)
FROM generate_series(1, 17000) AS n;
"""
FORGET = """\
-- A room's notes go.
-- uses: idx_notes_room
-- writes
-- pages: at most 6 * rows + 20
-- wal: at most 200 * rows + 1000 bytes
-- $1 integer: the room; from notes.room_id
DELETE FROM notes WHERE room_id = $1
"""


@pytest.mark.parametrize(
    ("ddl", "text", "said"),
    [
        ("", PAGE, ""),
        ("", FORGET, ""),
        ("DROP INDEX idx_notes_room; CREATE INDEX idx_notes_room ON rooms (name)", PAGE, "read from end to end"),
        ("", PAGE.replace("WHERE room_id = $1", "WHERE room_id + 0 = $1"), "idx_notes_room is promised and not used"),
    ],
    ids=["reads", "writes", "without its index", "past its index"],
)
def test_a_partitioned_index_is_used_by_its_partitions(
    house: psycopg.Connection, ddl: str, text: str, said: str
) -> None:
    """What is promised of the whole table's index is kept by those of its partitions."""
    house.execute(PARTED.encode())
    house.execute(ddl.encode())
    found = checked(house, text)
    assert found.verdict == ("broken" if said else "kept"), problems(found)
    assert said in problems(found)


def test_the_worth_of_an_index(house: psycopg.Connection) -> None:
    """The same query without it takes more pages; afterwards it is there again."""
    readied(house)
    (worth,) = worth_of(house, [query(PAGE)], 20_000)
    assert worth.index == "idx_notes_room"
    assert worth.pages_without > 2 * worth.pages_with
    assert "Seq Scan on notes" in worth.instead
    assert checked(house, PAGE).verdict == "kept"


def written(path: Path) -> dict[str, Any]:
    """A JSON result."""
    found = json.loads(path.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def bench(test_binaries: Binaries, *arguments: str | Path) -> Any:
    """The command on this run's major."""
    return pgcontract("bench", "plans", *arguments, "--pg-bin", test_binaries.bin_dir)


def test_the_command_says_that_all_is_kept(folder: Path, tmp_path: Path, test_binaries: Binaries) -> None:
    """A line a query and size, the worth of its index, JSON, and exit code 0."""
    result = bench(test_binaries, folder, "--rows", "1000,3000", "--worth", "--json", tmp_path / "found.json")
    assert (result.returncode, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("page ")]
    assert [line[2] for line in lines] == ["1,000", "3,000", "3,000"]
    assert "2 of 2 plans of 1 query kept" in result.stdout
    found = written(tmp_path / "found.json")
    assert (found["format"], found["system"], found["kept"], found["broken"]) == (1, "house", 2, 0)
    assert found["queries"][0]["measured"][0]["bound"] > 0
    assert found["worth"][0]["index"] == "idx_notes_room"


def test_the_command_shows_a_broken_promise(folder: Path, test_binaries: Binaries) -> None:
    """The plan, the promise and what differs; exit code 1."""
    (folder / "queries" / "page.sql").write_text(PAGE.replace("WHERE room_id =", "WHERE room_id + 0 ="))
    result = bench(test_binaries, folder, "--rows", "3000")
    assert result.returncode == 1
    for said in ("promise: by idx_notes_room", "is promised and not used", "read from end to end", "Seq Scan on notes"):
        assert said in result.stdout


def test_bad_input(folder: Path, test_binaries: Binaries) -> None:
    """No number, too many rows for the disk, no such query, no header, a table that is not there: exit code 2."""
    refused(bench(test_binaries, folder, "--rows", "many"), "--rows takes numbers", "many")
    refused(bench(test_binaries, folder, "--only", "gone"), "no such hot query", "gone")
    refused(bench(test_binaries, folder / "gone"), "nothing at this path")
    refused(bench(test_binaries, folder, "--rows", f"{10**14}"), "would not fit on the server's disk", "free")
    (folder / "system.toml").write_text("[bench]\ngone = 1\n")
    refused(bench(test_binaries, folder, "--rows", "10"), "not there", "gone", "notes, rooms")
    (folder / "system.toml").write_text("[bench]\nnotes = 'many'\n")
    refused(bench(test_binaries, folder, "--rows", "10"), "bench", "shares")
    (folder / "system.toml").unlink()
    (folder / "queries" / "page.sql").write_text("SELECT 1")
    refused(bench(test_binaries, folder), "no header", "page.sql, line 1")
