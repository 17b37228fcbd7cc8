"""A small table in a first migration, and what is planted in the second, for the rehearsal to find."""

from __future__ import annotations

from pathlib import Path

from pgcontract.model import Name
from pgcontract.rehearse import Lock, Rehearsal, Step, rehearse_on
from pgcontract.server import Server
from pgcontract.system import System
from tests.integration.fix_migrations import Write

PEOPLE = Name("public", "people")
FIRST = """
CREATE TABLE people (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  name TEXT NOT NULL,
  nickname TEXT,
  CONSTRAINT pk_people PRIMARY KEY (id)
);
-- ROLLBACK
DROP TABLE people;
"""


def second(up: str, down: str = "-- nothing to undo") -> dict[str, str | bytes]:
    """A table in the first migration, and what is planted in the second."""
    return {"001-people.sql": FIRST, "002-planted.sql": f"{up}\n-- ROLLBACK\n{down}\n"}


def rehearsed(server: Server, folder: Path, *, rows: int = 0) -> Rehearsal:
    return rehearse_on(server, System.load(folder), rows=rows)


def planted(server: Server, write: Write, up: str, down: str = "-- nothing to undo", *, rows: int = 0) -> Step:
    """What is found of the second migration; the first is clean."""
    result = rehearsed(server, write(second(up, down)), rows=rows)
    first, step = result.steps
    assert first.failures == ()
    assert first.locks == ()
    return step


def failures(step: Step) -> list[str]:
    return [failure.what for failure in step.failures]


def lock_on(step: Step, name: Name = PEOPLE) -> Lock:
    (found,) = [lock for lock in step.locks if lock.table == name]
    return found
