"""Defects planted in social_selling's trigger functions, one token or clause each: histories find them.

Those that no history could tell from the original are listed with the reason. ``update_updated_at_column`` is left out:
what it does is no invariant's business, and proven by its triggers' own promise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import psycopg
import pytest

from pgcontract.contract import read
from pgcontract.promises.mutants.bodies import OTHERS, Planted, planted
from pgcontract.system import System
from tests.contract.fix_exploring import Laboratory
from tests.integration.fix_migrations import SOCIAL_SELLING

EXAMPLES = 100
"""As many histories as ``pgcontract verify`` tries when nothing else is said."""
SEEDS = 20
FOUND = 19
FUNCTIONS = (
    "increment_unread_count",
    "decrement_unread_count",
    "subtract_deleted_messages",
    "restore_derived_columns",
)
SWAPS = {
    **OTHERS,
    **{one: other for pair in (("replaced", "changed"), ("gone", "latest")) for one, other in (pair, pair[::-1])},
    **{f"old_{what}": f"new_{what}" for what in ("id", "unread", "sent_at")},
    **{f"new_{what}": f"old_{what}" for what in ("id", "unread", "sent_at")},
}
SAMPLE = 20
FEWER = 12
ALL = bool(os.environ.get("PGCONTRACT_TEST_ALL"))
"""Every defect with every seed takes hours: it is for when a trigger changes."""
"""Defects of the default run: every so-manieth one."""

LOCK = "only a lock, which decides nothing for one session: tests/contract/test_social_selling_triggers.py has many"
ORDER = "only the order in which conversations are locked"
GENERAL = "the way for one message is a short cut: what it leaves is done by the way for many, and rightly"
SAME = "both names have the same value there"
SIGN = "signs are 1 and -1: the condition holds for the same rows"
LESS = "the condition only spares work: what it lets through in addition is counted, and changes nothing"
AGAIN = "the latest time is looked up where it could have been known, and is the same"
EQUIVALENT = {
    # shared
    r"ASC → DESC": ORDER,
    r": PERFORM FROM public\.conversations .*→ NULL;": LOCK,
    r" in PERFORM FROM public\.conversations": LOCK,
    r"delete_statement: PERFORM FROM (inserted|changed|deleted) OFFSET 1;": GENERAL,
    r"delete_statement: IF NOT FOUND": GENERAL,
    r"shift_constant: 1 → \(0\) in PERFORM FROM (inserted|changed|deleted) OFFSET 1;": GENERAL,
    # decrement
    r"decrement_unread_count delete_statement: SELECT conversation_id": GENERAL,
    r"swap_names: (old|new)_(id|sent_at) → (old|new)_(id|sent_at) in INTO": GENERAL,
    r"swap_names: changed → replaced in PERFORM FROM changed": "an update replaces as many rows as it makes",
    r"swap_names: new_id → old_id in UPDATE public\.conversations": SAME,
    r"drop_condition: sign < 0 → TRUE in MAX\(sent_at\) FILTER \(WHERE sign < 0\) AS gone": AGAIN,
    r"replace_operator: < → <= ": SIGN,
    r"replace_operator: > → >= in (MAX|OR MAX)": SIGN,
    r"shift_constant: 0 → 1 in MAX\(sent_at\) FILTER \(WHERE sign < 0\) AS gone": SIGN,
    r"shift_constant: 0 → 1 in OR MAX.*sign > 0\)$": SIGN,
    r"shift_constant: 0 → \(-1\) in MAX\(sent_at\) FILTER \(WHERE sign > 0\) AS latest": SIGN,
    r"shift_constant: 0 → \(-1\) in OR MAX.*\(2\)$": SIGN,
    r"shift_constant: 0 → 1 in MAX\(sent_at\) FILTER \(WHERE sign > 0\) AS latest": AGAIN,
    r"shift_constant: 0 → (1|\(-1\)) in HAVING .*<> 0$": LESS,
    r"replace_operator: > → >= in WHEN difference": AGAIN,
    # restore
    r"delete_statement: latest := OLD\.last_message_at;": AGAIN,
}


@dataclass(frozen=True)
class Case:
    """A defect in a function, and why it is none, if it is none."""

    function: str
    defect: Planted
    original: str
    equivalent: str | None

    def __str__(self) -> str:
        return f"{self.function} {self.defect}"


@cache
def cases() -> tuple[Case, ...]:
    """Every defect, from the frozen contract: no server is needed to name the tests."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    catalog = read(System.load(SOCIAL_SELLING).contract).catalog
    for function in FUNCTIONS:
        body = next(f.body for f in catalog.functions if f.name.name == function)
        swaps = {one: other for one, other in SWAPS.items() if re.search(rf"\b{other}\b", body)}
        for defect in planted(body, swaps):
            named = f"{function} {defect}"
            reason = next((why for pattern, why in EQUIVALENT.items() if re.search(pattern, named)), None)
            yield Case(function, defect, body, reason)


REAL = [case for case in cases() if case.equivalent is None]


def found(laboratory: Laboratory, case: Case, seeds: range, examples: int = EXAMPLES) -> list[int]:
    """The seeds with which histories find the defect; all of them where the function cannot even be made."""
    row = laboratory.administrator.execute(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", (case.function,)
    ).fetchone()
    assert row is not None
    assert case.original in row[0]
    try:
        with laboratory.changed(row[0].replace(case.original, case.defect.body)):
            runs = {
                seed: laboratory.exploration.histories(range(examples), seed, until_broken=True, cut_down=False)
                for seed in seeds
            }
    except psycopg.errors.SyntaxError:
        return list(seeds)
    return [seed for seed, explored in runs.items() if explored.broken or explored.failing]


@pytest.mark.parametrize("case", REAL[::SAMPLE], ids=str)
def test_a_planted_defect_is_found(case: Case, laboratory: Laboratory) -> None:
    """A sample of all defects, each with one seed."""
    assert found(laboratory, case, range(1)) == [0]


@pytest.mark.thorough
@pytest.mark.parametrize("case", REAL[:: 1 if ALL else FEWER], ids=str)
def test_a_planted_defect_is_found_whatever_the_seed(case: Case, laboratory: Laboratory) -> None:
    """With at least 19 of 20 seeds."""
    seeds = found(laboratory, case, range(SEEDS))
    assert len(seeds) >= FOUND, f"found with seeds {seeds}"


@pytest.mark.thorough
@pytest.mark.parametrize("case", [c for c in cases() if c.equivalent is not None][:: 1 if ALL else FEWER], ids=str)
def test_what_is_called_equivalent_is_not_found(case: Case, laboratory: Laboratory) -> None:
    """A defect that is found is no equivalent: the list says nothing that is wrong."""
    assert found(laboratory, case, range(2)) == []


def test_every_reason_is_needed() -> None:
    """A pattern that no defect matches any more excuses nothing, and would hide what comes."""
    named = [str(case) for case in cases()]
    assert [pattern for pattern in EQUIVALENT if not any(re.search(pattern, one) for one in named)] == []


def test_most_defects_are_real() -> None:
    """The list of excuses is short beside what is planted."""
    assert len(REAL) > 3 * (len(cases()) - len(REAL))
    assert {case.function for case in REAL} == set(FUNCTIONS)
