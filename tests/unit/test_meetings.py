"""When a meeting of two sessions contradicts a promise: not where the machine stood still for a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from pgcontract.model import Table
from pgcontract.promises.meetings import Course, Meeting, Onlooker, Rehearsed
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement

FROZEN, LIVE = (Statement("the frozen function"),), (Statement("the live function"),)
EXPECTED, OTHER = Course(waits=True, held=frozenset()), Course(waits=False, held=frozenset())
ONLOOKER = Onlooker((), "", Statement("SELECT"))
MEETING = Meeting((Statement("SELECT"),))


@dataclass
class Stage:
    """A place where a meeting's course is what its function gives, but for the moments that are named."""

    waits: dict[tuple[Statement, ...], bool]
    disturbed: Iterable[int] = ()
    installed: tuple[Statement, ...] = LIVE
    turns: Iterator[int] = field(default_factory=lambda: iter(range(100)))

    def place(self, tables: Sequence[Table], prepared: Sequence[Statement]) -> Refusal | None:
        """Nothing is to be placed for no tables."""
        return Refusal(0, "XX000", "no place") if tables or prepared else None

    def install(self, ddl: Sequence[Statement]) -> Refusal | None:
        """Another function from here on."""
        self.installed = tuple(ddl)
        return None

    def course(self, meeting: Meeting, onlooker: Onlooker) -> Course:
        """As expected where the function waits."""
        assert (meeting, onlooker) == (MEETING, ONLOOKER)
        return EXPECTED if self.waits[self.installed] and next(self.turns) not in self.disturbed else OTHER


def rehearsed() -> Rehearsed:
    return Rehearsed(onlooker=ONLOOKER, expected=((MEETING, EXPECTED),), promised=FROZEN, back=LIVE)


@pytest.mark.parametrize("disturbed", [[], [0], [1], [0, 1]])
def test_what_happens_with_the_frozen_function_too_contradicts_nothing(disturbed: list[int]) -> None:
    """A stall makes a meeting take another course once, or with both functions."""
    stage = Stage({FROZEN: True, LIVE: True}, disturbed)
    assert rehearsed().clash(stage) is None
    assert stage.installed == LIVE


def test_what_happens_again_and_not_with_the_frozen_function_does() -> None:
    """The same for a function that is installed for the meeting only."""
    found = rehearsed().clash(Stage({FROZEN: True, LIVE: False}))
    assert found is not None
    assert (found.expected, found.seen) == (EXPECTED, OTHER)
    mutant = (Statement("a mutant"),)
    stage = Stage({FROZEN: True, LIVE: True, mutant: False})
    assert rehearsed().clash_of(mutant, stage) is not None
    assert stage.installed == LIVE
