"""How an outcome is judged: a promise is broken by what it owns, and by nothing else."""

from __future__ import annotations

import pytest

from pgcontract.model import Check, Name
from pgcontract.promises.base import Change, Outcome, Seen, Violation, judge
from pgcontract.promises.check import TableCheck
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement

PROMISE = TableCheck(Name("public", "t"), Check("chk", "a > 0"))
ACT = (Statement("INSERT"),)
VIOLATION = Violation(ACT, (Statement("SETUP"),), sqlstates=frozenset(["23514"]), constraint="chk")
CHANGE = Change(ACT, (Statement("SETUP"),))


def refused(sqlstate: str, constraint: str | None = None, position: int = 1) -> Seen:
    return Seen(Refusal(position, sqlstate, "refused", constraint=constraint))


@pytest.mark.parametrize(
    ("seen", "present", "outcome"),
    [
        (refused("23514", "chk"), True, Outcome.HELD),
        (Seen(), True, Outcome.BROKEN),
        (refused("23514", "other"), True, Outcome.BLOCKED),
        (refused("23505", "chk"), True, Outcome.BLOCKED),
        (refused("23514", "other"), False, Outcome.BROKEN),
        (refused("23514", "chk", position=0), True, Outcome.BLOCKED),
    ],
)
def test_a_violation_is_held_by_its_own_error_only(seen: Seen, present: bool, outcome: Outcome) -> None:
    """SQLSTATE and name must both be the promised ones; another's error excuses only a promise that is there."""
    assert judge(PROMISE, VIOLATION, seen, present=present) is outcome


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Seen(), Outcome.HELD),
        (Seen(rows=[(b"t", b"t")]), Outcome.HELD),
        (Seen(rows=[(b"t", b"f")]), Outcome.BROKEN),
        (Seen(rows=[(b"t", None)]), Outcome.BROKEN),
        (Seen(rows=[]), Outcome.BROKEN),
        (refused("23514", "chk"), Outcome.BROKEN),
        (refused("23514", "other"), Outcome.BLOCKED),
        (refused("P0001"), Outcome.BLOCKED),
        (refused("42703"), Outcome.BROKEN),
        (refused("23514", "chk", position=0), Outcome.BLOCKED),
    ],
)
def test_a_change_is_broken_by_its_own_refusal_or_a_result_that_is_not_true(seen: Seen, outcome: Outcome) -> None:
    """What another constraint or a trigger refuses says nothing of this promise."""
    assert judge(PROMISE, CHANGE, seen, present=True) is outcome


def test_what_a_promise_raises_itself_has_words_of_its_own() -> None:
    """Two runs that are refused alike differ in the message; another's message is nobody's promise."""
    change = Change(ACT, reference=ACT)
    own, worded = Refusal(0, "23514", "a", constraint="chk"), Refusal(0, "23514", "b", constraint="chk")
    assert judge(PROMISE, change, Seen(own), present=True, reference=Seen(own)) is Outcome.HELD
    assert judge(PROMISE, change, Seen(worded), present=True, reference=Seen(own)) is Outcome.BROKEN
    others = (Refusal(0, "23505", "a", constraint="key"), Refusal(0, "23505", "b", constraint="key"))
    assert judge(PROMISE, change, Seen(others[0]), present=True, reference=Seen(others[1])) is Outcome.BLOCKED
