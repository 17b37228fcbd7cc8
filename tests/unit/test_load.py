"""Load, without a server: when what is due, what percentiles are, the open loop, the search, and load.toml."""

from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from pgcontract.load.figures import percentile, summary
from pgcontract.load.limit import CLOSE, highest
from pgcontract.load.running import Done, run
from pgcontract.load.schedule import Arrival, rehearsal, schedule
from pgcontract.load.workload import LoadError, workload_of
from pgcontract.system import System, configured

ROOT = Path(__file__).parents[2]
WEIGHTS = {"write": 1.0, "read": 0.5}


def arrivals(*times: float, name: str = "write") -> tuple[Arrival, ...]:
    """What is due at these times."""
    return tuple(Arrival(n, at, name, n) for n, at in enumerate(times))


# when


def test_a_schedule_is_the_same_for_the_same_seed_only() -> None:
    """Times, transactions and lots."""
    assert schedule(WEIGHTS, 50, 10, 7) == schedule(WEIGHTS, 50, 10, 7)
    assert schedule(WEIGHTS, 50, 10, 7) != schedule(WEIGHTS, 50, 10, 8)


def test_a_transaction_comes_rate_times_weight_a_second() -> None:
    """Within four standard deviations of Poisson's; in order, within the time, and no lot twice."""
    found = schedule(WEIGHTS, 100, 100, 0)
    counted = Counter(one.transaction for one in found)
    assert abs(counted["write"] - 10_000) < 4 * 100
    assert abs(counted["read"] - 5_000) < 4 * 71
    times = [one.at for one in found]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < 100
    assert [one.number for one in found] == list(range(len(found)))
    assert len({one.lot for one in found}) == len(found)


def test_arrivals_know_nothing_of_each_other() -> None:
    """Gaps are exponential: as spread as they are long, and a share of 1/e is longer than the average."""
    times = [one.at for one in schedule({"write": 1.0}, 100, 200, 1)]
    gaps = [b - a for a, b in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread == pytest.approx(mean, rel=0.05)
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)


def test_a_rehearsal_does_each_transaction_so_often() -> None:
    """At once, with lots that differ."""
    found = rehearsal(WEIGHTS, 3, 0)
    assert Counter(one.transaction for one in found) == {"write": 3, "read": 3}
    assert len({one.lot for one in found}) == 6


# how long


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(100, 0.99, 99), (101, 0.99, 100), (1000, 0.99, 990), (1000, 0.5, 500), (1, 0.99, 1), (3, 0.5, 2), (10, 1.0, 10)],
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(count: int, share: float, expected: int) -> None:
    """Nearest rank: a value that was measured, never one in between."""
    assert percentile(range(1, count + 1), share) == expected


def test_no_values_have_no_percentile() -> None:
    """Nothing is shown as 0, rather than failing."""
    assert percentile([], 0.99) == 0


def test_a_summary_counts_what_failed_and_what_was_given_up() -> None:
    """Failed ones are no part of the times, given up ones are; and the slowest transaction's p99 is the run's."""
    due = (*arrivals(0, 1, 2, 3), Arrival(4, 4, "read", 4))
    done = [
        Done(due[0], 0, 0.010, 0.010, idle=True),
        Done(due[1], 0, 0.001, 1.001, idle=True, error="40P01"),
        Done(due[2], 0, 0.020, 2.020),
        Done(due[3], 9, 9.000, 12.000, given_up=True),
        Done(due[4], 0.004, 0.005, 4.005, idle=True),
    ]
    found = summary(done, WEIGHTS, 1, 5)
    write, read = found.transactions
    assert (write.asked, write.done, dict(write.errors), write.given_up) == (4, 2, {"40P01": 1}, 1)
    assert (write.p50, write.p99, write.greatest) == (20, 9000, 9000)
    assert (read.asked, read.done, read.p50, read.p99) == (1, 1, 5, 5)
    assert (found.p99, found.errors, found.given_up, found.kept) == (9000, 1, 1, False)
    assert found.achieved == pytest.approx(0.6)
    assert found.lateness == 4


def test_the_achieved_rate_counts_until_the_last_was_over() -> None:
    """What takes twice the time was done at half the rate; chance in how many came is nobody's fault."""
    late = [Done(one, 10, 10, one.at + 10) for one in arrivals(*range(10))]
    found = summary(late, {"write": 1.0}, 1, 10)
    assert found.achieved == pytest.approx(10 / 19, abs=0.01)
    assert not found.kept
    prompt = [Done(one, 0, 0.001, one.at + 0.001) for one in arrivals(*range(7))]
    found = summary(prompt, {"write": 1.0}, 1, 10)
    assert (found.achieved, found.kept) == (1, True)


# the open loop


class Server:
    """Serves one at a time, and stalls for its first."""

    def __init__(self, stall: float = 0.0, error: BaseException | None = None) -> None:
        self.stall, self.error = stall, error
        self.lock = threading.Lock()
        self.served: list[int] = []

    def perform(self, arrival: Arrival) -> str | None:
        with self.lock:
            self.served.append(arrival.number)
            # which of those that come together is the first, is the machine's affair
            if len(self.served) == 1:
                time.sleep(self.stall)
                if self.error is not None:
                    raise self.error
            return "40001" if arrival.transaction == "fails" else None


@pytest.mark.parametrize("pool", [1, 4])
def test_a_stall_is_in_the_latencies_of_all_that_was_due_meanwhile(pool: int) -> None:
    """No coordinated omission: of 100 due within a stall of 0.5 s the middle one waits for half of it.

    A closed loop would have one slow answer, and 99 fast ones.
    """
    server = Server(stall=0.5)
    done = run(arrivals(*(n * 0.005 for n in range(100))), [server] * pool)
    assert [one.arrival.number for one in done] == list(range(100))
    for one in done:
        assert one.latency >= 0.5 - one.arrival.at - 0.001
    waited = sorted(one.latency for one in done)
    assert percentile(waited, 0.5) > 0.24
    assert percentile(waited, 0.99) > 0.49
    # who waits in the server's queue was begun in time; who finds no connection was not
    assert sum(one.idle for one in done) >= pool
    assert done[0].latency == pytest.approx(done[0].end)


def test_nothing_is_begun_before_it_is_due() -> None:
    """And what is due later waits for its time, not for its turn."""
    began = time.perf_counter()
    done = run(arrivals(0.0, 0.1, 0.2), [Server()] * 3)
    assert time.perf_counter() - began >= 0.2
    assert all(one.begun >= 0 for one in done)
    assert all(one.latency < 0.1 for one in done)


def test_what_waits_too_long_is_given_up_with_what_it_has_waited() -> None:
    """So that a server that is far too slow ends the run, and its percentiles do not look better for it."""
    server = Server(stall=0.3)
    done = run(arrivals(*(n * 0.001 for n in range(50))), [server], patience=0.1)
    given_up = [one for one in done if one.given_up]
    assert len(given_up) == 49
    assert server.served == [0]
    assert all(one.latency > 0.2 for one in given_up)
    assert not summary(done, {"write": 1.0}, 1000, 0.05).kept


def test_what_fails_is_told_and_goes_on() -> None:
    """An SQLSTATE is an outcome."""
    done = run(arrivals(0, 0.001, name="fails"), [Server()])
    assert [one.error for one in done] == ["40001", "40001"]


def test_a_lost_server_ends_the_run() -> None:
    """What a performer raises is raised, once nobody works any more."""
    before = threading.active_count()
    with pytest.raises(ConnectionError, match="gone"):
        run(arrivals(*(n * 0.001 for n in range(1000))), [Server(error=ConnectionError("gone"))] * 2)
    assert threading.active_count() == before


# the highest rate


@pytest.mark.parametrize("limit", [3.0, 50.0, 71.0, 640.0, 999.0])
def test_the_highest_rate_is_found_from_either_side(limit: float) -> None:
    """It holds, and what is a tenth above does not."""
    asked: list[float] = []

    def holds(rate: float) -> bool:
        asked.append(rate)
        return rate <= limit

    found = highest(holds, 50, 100_000)
    assert found is not None
    assert found <= limit <= found * CLOSE + 0.1
    assert len(asked) < 40


def test_the_search_ends_where_nothing_or_everything_holds() -> None:
    """None below one a second; the most that may be asked."""
    assert highest(lambda _rate: False, 50, 1000) is None
    assert highest(lambda _rate: True, 50, 1000) == 1000


def test_one_failure_is_not_believed() -> None:
    """The machine may have been busy: a rate fails when it fails twice in turn."""
    seen: set[float] = set()

    def holds(rate: float) -> bool:
        first = rate not in seen
        seen.add(rate)
        return rate <= 400 and not first

    assert (highest(holds, 50, 100_000) or 0) > 400 / CLOSE


# load.toml


@pytest.mark.parametrize("path", configured(ROOT), ids=lambda path: path.name)
def test_every_shipped_system_says_what_it_is_asked_under_load(path: Path) -> None:
    """Each transaction has a step that is a hot query, and its own weight."""
    system = System.load(path)
    workload = workload_of(system)
    assert system.queries is not None
    hot = {query.stem for query in system.queries.glob("*.sql")}
    assert all(any(step.title in hot for step in one.steps) for one in workload.transactions)
    assert len(workload.transactions) >= 4


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "transactions"),
        ("rate = 5", "rate"),
        ("transactions = 5", "transactions"),
        ("[transactions.a", "cannot be read"),
        ("[transactions.a]", "transactions.a.steps"),
        ("[transactions]\na = 1", "transactions.a"),
        ("[transactions.a]\nweight = 0\nsteps = [{ sql = 'SELECT 1' }]", "transactions.a.weight"),
        ("[transactions.a]\nweight = true\nsteps = [{ sql = 'SELECT 1' }]", "transactions.a.weight"),
        ("[transactions.a]\natomic = 1\nsteps = [{ sql = 'SELECT 1' }]", "transactions.a.atomic"),
        ("[transactions.a]\ndraw = ['b']\nsteps = [{ sql = 'SELECT 1' }]", "transactions.a.draw"),
        ("[transactions.a]\nsteps = ['note']", "transactions.a.steps[0]"),
        ("[transactions.a]\nsteps = [{ query = 'note', sql = 'SELECT 1' }]", "transactions.a.steps[0]"),
        ("[transactions.a]\nsteps = [{ query = 'nothing' }]", "name a file of queries/"),
        ("[transactions.a]\nsteps = [{ query = 'note' }]", "note has 1 parameter"),
        ("[transactions.a]\nsteps = [{ query = 'note', with = 'n' }]", "transactions.a.steps[0].with"),
        ("[transactions.a]\nsteps = [{ sql = 'SELECT $1', with = ['n', 'uuid'] }]", "has 1 parameter"),
        ("[transactions.a]\nsteps = [{ sql = 'SELEC 1' }]", "correct the SQL"),
        ("[transactions.a]\nsteps = [{ sql = 'SELECT 1; SELECT 2' }]", "2 statements"),
        ("[transactions.a]\nsteps = [{ sql = 'SELECT 1', each = 1 }]", "transactions.a.steps[0].each"),
        ("[transactions.a]\nsteps = [{ sql = 'SELECT 1', times = 2 }]", "times"),
        ("counts = 1\n[transactions.a]\nsteps = [{ sql = 'SELECT 1' }]", "counts"),
        ("[rows]\nnotes = -1\n[transactions.a]\nsteps = [{ sql = 'SELECT 1' }]", "rows.notes"),
        ("[values]\nnote = 5\n[transactions.a]\nsteps = [{ sql = 'SELECT 1' }]", "values.note"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(tmp_path: Path, text: str, seen: str) -> None:
    """The file, the place in it, and what to write instead."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "queries").mkdir()
    (tmp_path / "system.toml").write_text('name = "notes"')
    query = "-- One.\n-- uses: notes_pkey\n-- $1 int: which; from notes.id\nSELECT id FROM notes WHERE id = $1;"
    (tmp_path / "queries" / "note.sql").write_text(query)
    (tmp_path / "load.toml").write_text(text)
    with pytest.raises(LoadError) as error:
        workload_of(System.load(tmp_path))
    assert seen in str(error.value)
    assert "load.toml" in str(error.value)


def test_a_system_without_a_workload_says_how_to_write_one(tmp_path: Path) -> None:
    """No traceback of a missing file."""
    (tmp_path / "migrations").mkdir()
    with pytest.raises(LoadError, match="does not say") as error:
        workload_of(System.load(tmp_path))
    assert error.value.remedy is not None
