"""``pgcontract bench load`` as people run it: the shipped systems, what breaks under load, and bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pgcontract.cli.bench import app
from pgcontract.ephemeral import ServerChoice
from pgcontract.errors import PgContractError, ServerError, UsageError
from pgcontract.load import LoadError, ready, workload_of
from pgcontract.load.schedule import Arrival
from pgcontract.server import Server
from pgcontract.system import System, configured

ROOT = Path(__file__).parents[2]
SCHEMA = """
CREATE TABLE rooms (
  id INTEGER GENERATED ALWAYS AS IDENTITY CONSTRAINT rooms_pkey PRIMARY KEY,
  messages INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE messages (
  id INTEGER GENERATED ALWAYS AS IDENTITY CONSTRAINT messages_pkey PRIMARY KEY,
  room_id INTEGER NOT NULL REFERENCES rooms (id),
  text TEXT NOT NULL UNIQUE
);
CREATE FUNCTION count_messages() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  there INTEGER;
BEGIN
  {body}
  RETURN NULL;
END
$$;
CREATE TRIGGER message_count AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION count_messages();
-- ROLLBACK
DROP TABLE messages;
DROP TABLE rooms;
DROP FUNCTION count_messages();
"""
SOUND = "UPDATE rooms SET messages = messages + 1 WHERE id = NEW.room_id;"
# right for one writer at a time, whatever is written; what two write at once is counted once
LOSING = """
  SELECT messages INTO there FROM rooms WHERE id = NEW.room_id;
  PERFORM pg_sleep(0.002);
  UPDATE rooms SET messages = there + 1 WHERE id = NEW.room_id;
"""
INVARIANT = """-- A room counts its messages.
SELECT id, messages FROM rooms WHERE messages <> (SELECT count(*) FROM messages WHERE room_id = rooms.id);
"""
WRITE = """-- Somebody writes.
-- uses: rooms_pkey
-- writes
-- pages: at most 100
-- wal: at most 10000 bytes
-- $1 integer: the room; from rooms.id
-- $2 text: what is said; from 'hello'
INSERT INTO messages (room_id, text) VALUES ($1, $2);
"""
LOAD = """
counts = "messages"

[rows]
rooms = 0.02
messages = 2

[values]
room = "SELECT id AS room FROM rooms ORDER BY id ASC"

[transactions.write]
draw = ["room"]
steps = [{ query = "write", with = ["room", "uuid"] }]
"""


def run(*arguments: object) -> Result:
    """Run the command; its errors are raised."""
    result = CliRunner().invoke(app, ["load", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def rooms(folder: Path, body: str = SOUND, load: str = LOAD) -> Path:
    """A system of rooms that count their messages, by the trigger's body."""
    for name in ("migrations", "queries", "invariants"):
        (folder / name).mkdir(parents=True)
    (folder / "system.toml").write_text('name = "rooms"\n[populate]\n"rooms.messages" = "0"\n')
    (folder / "migrations" / "001-rooms.sql").write_text(SCHEMA.replace("{body}", body))
    (folder / "invariants" / "counts.sql").write_text(INVARIANT)
    (folder / "queries" / "write.sql").write_text(WRITE)
    (folder / "load.toml").write_text(load)
    return folder


def short(*arguments: object) -> tuple[Result, dict[str, Any]]:
    """A run of a second with few rows, and its JSON; the first argument is the system."""
    file = Path(str(arguments[0])).parent / "out.json"
    usual = ("--users", 100, "--seconds", 1, "--pool", 4)
    result = run(arguments[0], *usual, "--json", file, *arguments[1:])
    return result, json.loads(file.read_text())


@pytest.mark.thorough
@pytest.mark.parametrize("path", configured(ROOT), ids=lambda path: path.name)
def test_the_shipped_systems_keep_a_rate_and_their_invariants(path: Path, tmp_path: Path) -> None:
    """Every transaction does what it is there for, on a server that flushes its log, and no invariant is broken."""
    file = tmp_path / "out.json"
    result = run(path, "--users", 100, "--rate", 30, "--seconds", 2, "--json", file)
    found = json.loads(file.read_text())
    assert found["errors"] == 0
    assert found["broken_invariants"] == []
    assert "All invariants hold." in result.stdout
    assert found["durable"] is True
    assert set(found["settings"].values()) == {"on"}
    assert found["achieved"] == pytest.approx(30, rel=0.2)
    assert found["flush_milliseconds"] > 0
    for one in found["transactions"]:
        assert one["done"] == one["asked"]
        assert 0 <= one["p50"] <= one["p95"] <= one["p99"] <= one["greatest"]


@pytest.mark.thorough
def test_what_is_sent_reaches_everybody_in_the_chat() -> None:
    """Messenger's transaction of sending makes a message and a delivery for each participant, once for each arrival."""
    system = System.load(ROOT / "schema" / "messenger")
    with ready(system, workload_of(system), ServerChoice(), users=50, pool=1) as target:

        def counted() -> tuple[int, int]:
            query = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM message_delivery)"
            row = target.control.execute(query).fetchone()
            assert row is not None
            return row[0], row[1]

        messages, deliveries = counted()
        assert target.workers[0].perform(Arrival(0, 0, "send", 12345)) is None
        chat = "SELECT chat_id, id FROM messages WHERE client_message_id = '00000000-0000-0000-0000-000000003039'"
        row = target.control.execute(chat).fetchone()
        assert row is not None
        members = "SELECT count(*) FROM chat_participants WHERE chat_id = %s AND left_at IS NULL"
        taking_part = target.control.execute(members, (row[0],)).fetchone()
        assert taking_part is not None
        assert counted() == (messages + 1, deliveries + taking_part[0])
        assert taking_part[0] > 0


@pytest.mark.thorough
def test_a_worker_finishes_each_item_that_it_claims() -> None:
    """The optimizer's claims, of ten items at once, are finished one by one by their own stamps."""
    system = System.load(ROOT / "schema" / "optimizer")
    with ready(system, workload_of(system), ServerChoice(), users=50, pool=1) as target:

        def done() -> int:
            row = target.control.execute(
                "SELECT count(*) FROM job_items WHERE after_value = 'A better title'"
            ).fetchone()
            assert row is not None
            return int(row[0])

        before = done()
        for number in range(10):
            assert target.workers[0].perform(Arrival(number, 0, "finish", number)) is None
        assert done() > before + 5


@pytest.mark.thorough
def test_a_trigger_that_loses_updates_is_found_by_an_invariant(tmp_path: Path) -> None:
    """It is right for each writer alone; only at once do they lose counts. The command says which, and ends with 1."""
    result, found = short(rooms(tmp_path / "losing", LOSING), "--rate", 300)
    assert result.exit_code == 1
    assert "broken invariants.counts (invariant): A room counts its messages." in result.stdout
    (broken,) = found["broken_invariants"]
    assert broken["invariant"] == "invariants.counts"
    assert "messages = " in broken["shown"]
    result, found = short(rooms(tmp_path / "sound"), "--rate", 100)
    assert found["broken_invariants"] == []
    assert found["errors"] == 0
    assert "All invariants hold." in result.stdout


@pytest.mark.thorough
def test_a_p99_that_is_exceeded_ends_with_1(tmp_path: Path) -> None:
    """A thousandth of a millisecond is too little for anything, a minute enough."""
    path = rooms(tmp_path / "rooms")
    result, found = short(path, "--rate", 20, "--p99", 0.001)
    assert result.exit_code == 1
    assert "more than the 0.001 ms allowed" in result.stdout
    assert found["p99_allowed"] == 0.001
    result, found = short(path, "--rate", 20, "--p99", 60_000)
    assert found["kept"] is (result.exit_code == 0)
    assert "allowed" not in result.stdout


@pytest.mark.thorough
def test_a_transaction_that_fails_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """Its SQLSTATE is counted, what it did before is rolled back, and the connection goes on. Exit 1."""
    load = LOAD + (
        '[transactions.fail]\ndraw = ["room"]\nsteps = [{ query = "write", with = ["room", "uuid"] }, '
        '{ sql = "SELECT 1 / (messages - messages) FROM rooms WHERE id = $1", with = ["room"] }]\n'
    )
    result, found = short(rooms(tmp_path / "rooms", load=load), "--rate", 40)
    assert result.exit_code == 1
    write, fail = found["transactions"]
    assert (write["errors"], write["done"]) == ({}, write["asked"])
    assert (fail["errors"], fail["done"]) == ({"22012": fail["asked"]}, 0)
    assert fail["asked"] > 10
    assert f"{fail['asked']} of 22012" in result.stdout
    assert found["broken_invariants"] == []


@pytest.mark.thorough
def test_a_transaction_goes_on_without_rows_and_ends_without_values(tmp_path: Path) -> None:
    """A step that returns no row stops those that need its values only; what was done before is committed."""
    nothing = '{ sql = "SELECT id AS other FROM rooms WHERE id < 0" }'
    write = '{ query = "write", with = ["room", "uuid"] }'
    load = LOAD + (
        f'[transactions.on]\ndraw = ["room"]\natomic = false\nsteps = [{nothing}, {write}]\n'
        f'[transactions.each]\ndraw = ["room"]\nsteps = [{nothing}, '
        f'{{ query = "write", with = ["other", "uuid"], each = true }}, {write}]\n'
        f'[transactions.ends]\ndraw = ["room"]\nsteps = [{write}, {nothing}, '
        '{ sql = "SELECT 1 / ($1::int - $1)", with = ["other"] }]\n'
    )
    system = System.load(rooms(tmp_path / "rooms", load=load))
    with ready(system, workload_of(system), ServerChoice(), users=100, pool=1) as target:

        def written() -> int:
            row = target.control.execute("SELECT count(*) FROM messages").fetchone()
            assert row is not None
            return int(row[0])

        for number, name in enumerate(("on", "each", "ends")):
            before = written()
            assert target.workers[0].perform(Arrival(number, 0, name, 1000 + number)) is None
            assert (name, written()) == (name, before + 1)
        assert target.broken() == ()


@pytest.mark.thorough
def test_a_connection_that_is_lost_ends_the_run(tmp_path: Path) -> None:
    """As a server's failure, with what it said; not as latencies, and not by waiting for ever."""
    system = System.load(rooms(tmp_path / "rooms"))
    with ready(system, workload_of(system), ServerChoice(), users=100, pool=2) as target:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgcontract load'"
        target.control.execute(query)
        with pytest.raises(ServerError, match="closed a connection"):
            target.run(50, 2, 0)


@pytest.mark.thorough
def test_the_limit_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes 50 ms on each of two connections cannot come more than 40 times a second."""
    monkeypatch.setattr("pgcontract.cli.load.LIMIT_SECONDS", 2.0)
    load = LOAD.replace("steps = [", 'steps = [{ sql = "SELECT pg_sleep(0.05)" }, ')
    path = rooms(tmp_path / "rooms", load=load)
    result, found = short(path, "--pool", 2, "--rate", 5, "--find-limit")
    assert "The highest rate with a p99 under 100 ms" in result.stdout
    assert 1 <= found["limit"]["rate"] < 45
    assert {one["held"] for one in found["limit"]["tried"]} == {True, False}
    assert len(found["machine_load"]) == 1 + len(found["limit"]["tried"])


@pytest.mark.thorough
def test_a_server_of_the_users_is_told_not_to_be_durable(people_server: Server, tmp_path: Path) -> None:
    """Its settings are its own; where a commit may be lost, no figure stands without that."""
    result, found = short(rooms(tmp_path / "rooms"), "--rate", 20, "--dsn", people_server.address.dsn())
    assert found["durable"] is False
    assert "NOT durable (fsync = off" in result.stdout


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("before", "after", "kind", "seen"),
    [
        ("rooms = 0.02", "room = 1", LoadError, "[rows] names a table that is not there"),
        ("FROM rooms ORDER", "FROM houses ORDER", LoadError, "42P01"),
        ("FROM rooms ORDER", "FROM rooms WHERE id < 0 ORDER", LoadError, "There are no values to draw"),
        ('"room", "uuid"]', '"house", "uuid"]', LoadError, "known there are n, room, uuid"),
        ('query = "write"', 'sql = "SELECT $1, $2 FROM houses"', LoadError, "42P01"),
    ],
)
def test_a_workload_that_does_not_fit_the_database_is_refused(
    tmp_path: Path, before: str, after: str, kind: type[PgContractError], seen: str
) -> None:
    """Before any load, with the place in the file."""
    assert before in LOAD
    path = rooms(tmp_path / "rooms", load=LOAD.replace(before, after))
    with pytest.raises(kind) as error:
        short(path)
    assert seen in str(error.value)
    assert "load.toml" in str(error.value)


@pytest.mark.thorough
def test_more_connections_than_the_server_takes_are_refused(tmp_path: Path) -> None:
    """Said as what it is."""
    with pytest.raises(ServerError, match="does not take so many connections"):
        short(rooms(tmp_path / "rooms"), "--pool", 500)


def test_bad_options_are_refused(tmp_path: Path) -> None:
    """Rates and times that are none; a JSON file for several systems; a folder without load.toml."""
    for option, value in (("--rate", 0), ("--seconds", 0), ("--users", 0), ("--pool", 0), ("--p99", 0)):
        assert run(tmp_path, option, value).exit_code == 2
    with pytest.raises(UsageError):
        run("--json", tmp_path / "out.json")
    (tmp_path / "migrations").mkdir()
    with pytest.raises(LoadError):
        run(tmp_path)


def test_the_command_is_read_only_when_it_is_asked_for() -> None:
    """What other commands of the group load does not grow by it."""
    code = "import sys, pgcontract.cli.bench; print([m for m in sys.modules if m.startswith('pgcontract.load')])"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
