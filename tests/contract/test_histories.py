"""The systems' invariants: what no constraint can say, after whatever valid changes have been made."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.invariants import Exploration, Explored, invariants_of
from pgcontract.plugin import Promised
from pgcontract.rows.terrain import mentioned
from pgcontract.session import Session
from pgcontract.system import System
from tests.contract.fix_systems import PATHS

MOST_REFUSED = 0.3
"""The part of all steps that a database may refuse. What it refuses is time lost, and may hide what is to be found."""
UNREACHED = ("WHEN foreign_key_violation THEN",)
"""Branches that need another session at the right moment: the systems' concurrency tests come to them."""


@pytest.mark.promises("invariant")
def test_invariants(promise: Promised) -> None:
    """No query returns a row after any step of any history."""
    promise.prove()


def test_every_system_has_invariants() -> None:
    """And each says in a comment what it claims."""
    for path in PATHS:
        found = invariants_of(System.load(path))
        assert found, path
        assert all(invariant.clause != invariant.path.stem for invariant in found)


@pytest.fixture
def explored(system: System, system_database: str, request: pytest.FixtureRequest) -> Explored:
    """Histories of a system: so many as the test asks for, and with its seed."""
    with psycopg.connect(system_database) as connection:
        catalog = read_catalog(connection, ignore=[system.tracking_table])
    with closing(Session(psycopg.connect(system_database, autocommit=True))) as session:
        invariants = invariants_of(system)
        exploration = Exploration(session, catalog, {}, invariants, invariants, system.invariant_seconds)
        return exploration.histories(range(request.param[0]), request.param[1])


@pytest.mark.parametrize(
    "explored",
    [(100, seed) for seed in range(6)],
    indirect=True,
    ids=str,
)
@pytest.mark.thorough
def test_histories_reach_every_table_trigger_and_branch(explored: Explored) -> None:
    """By counters in the triggers' functions; and few of their steps are refused."""
    assert [one for one in explored.reach.missed if not one.endswith(UNREACHED)] == []
    assert len(explored.reach.triggers.all) > 5
    refused = sum(explored.refused.values())
    assert refused < MOST_REFUSED * (refused + explored.steps), explored.refused.most_common(5)
    assert explored.unbuildable == {}


@pytest.mark.thorough
@pytest.mark.parametrize("explored", [(25, seed) for seed in range(14, 20)], indirect=True, ids=str)
def test_few_histories_change_what_every_invariant_is_about(explored: Explored, system: System) -> None:
    """Whatever the seed: those tables come first that no step has changed yet."""
    words = mentioned(*(invariant.query for invariant in invariants_of(system)))
    assert [table for table in explored.reach.tables.missed if table in words] == []


@pytest.mark.thorough
@pytest.mark.parametrize("explored", [(400, 0)], indirect=True, ids=str)
def test_many_histories_break_nothing(explored: Explored) -> None:
    """Ten times as many as a usual run tries."""
    assert explored.broken == {}
    assert explored.failing == {}
    assert explored.steps > 5000
