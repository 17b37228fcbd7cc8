"""Defects of triggers and of the functions that they call: the proof sees them, but for those that are none.

What is left out is said with its reason: what is equivalent to the original, and what is not seen yet. Both lists are
held to be true, so that they cannot outlive their reasons.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from psycopg import errors

from pgcontract.contract import read, trigger_id
from pgcontract.model import Function, Name, Trigger
from pgcontract.promises.mutants.bodies import OTHERS, Planted, planted
from pgcontract.promises.mutants.triggers import trigger_defects
from pgcontract.promises.trigger import TriggerPromise
from pgcontract.prover import DEFAULT_EXAMPLES
from pgcontract.system import System
from tests.contract.fix_systems import PATHS
from tests.integration import fix_defects
from tests.integration.fix_defects import Bench

bench_of = fix_defects.bench_of

SEEDS = 20
FOUND = 19
FEWER = 12
ALL = bool(os.environ.get("PGCONTRACT_TEST_ALL"))
"""Every defect of every function takes an hour: it is for when a trigger, or its proof, changes."""
SAMPLED_FUNCTIONS = ("keep_unread",)
EACH = 8
"""Of the sampled functions' defects every so-manieth is in the default run."""

NOT_SET = "the condition is false where none of these columns is SET: no BEFORE trigger of the table writes them"
EQUIVALENT_TRIGGERS = {
    r"^(attachments\.attachment|chat_participants\.participant|messages\.message)_move drop_columns$": NOT_SET,
}

LOCK = "only a lock, which decides nothing for one session: the systems' concurrency tests have many"
ORDER = "only the order in which rows are locked"
GENERAL = "the way for one row is a short cut: what it leaves is done by the way for many, and rightly"
SAME = "both names have the same value there"
SIGN = "signs are 1 and -1: the condition holds for the same rows"
AGAIN = "what is known is looked up or worked out again, and is the same"
CLOCK = "no stamp is the very moment at which it is looked at"
NOTHING = "the loop runs once more, for NULL, which is no row's key"
KEYED = "no two of these rows are alike: they have their table's key, and those of each side a sign"
FOLLOWED = "items' own trigger has the job follow them first, so that nothing is left to contradict"
SHORT_CUTS = "(increment_unread_count|subtract_deleted_messages|change_unread)"
"""Functions of which the general way mends nothing else: where it does, an unlikely state tells the two apart."""
EQUIVALENT: dict[str, str] = {
    # shared
    r"replace_operator: ASC → DESC": ORDER,
    r": PERFORM FROM public\.(conversations|jobs|chats) .*→ NULL;": LOCK,
    r" in PERFORM FROM public\.(conversations|jobs|chats)": LOCK,
    r"shift_constant: (1 → \(0\)|0 → (1|\(-1\))) in FOR i IN 1 \.\.": NOTHING,
    r"update_updated_at_column replace_operator: <= → <": CLOCK,
    # messenger
    r"(add|subtract)_unread delete_statement: (SELECT chat_id, user_id, EXISTS|IF NOT several)": GENERAL,
    r"change_unread delete_statement: SELECT chat_id": GENERAL,
    r"advance_last_message delete_statement: (SELECT chat_id, id|IF NOT several)": GENERAL,
    r"renew_last_message replace_operator: UNION ALL → UNION in": KEYED,
    r"advance_last_message replace_operator: > → >= in WHEN \(last_message_at": SAME,
    r"touch_messages drop_condition: message_id IS NOT NULL → TRUE": NOTHING,
    r"release_last_message drop_condition: id = OLD\.chat_id AND": SAME,
    r"(add|subtract)_unread shift_constant: 1 → \(0\) in SELECT .*OFFSET 1\)": GENERAL,
    r"change_unread replace_operator: <= → < in IF": GENERAL,
    # optimizer
    r"apply_plan swap_names: OLD → NEW in (\(SELECT monthly_credits|NEW\.credits_used_month :=)": SAME,
    r"stamp_job swap_names: OLD → NEW in (WHEN 'CANCELED' THEN|ELSE COALESCE\()": SAME,
    r"refuse_contradiction swap_names: NEW → OLD in SELECT .*'(DONE|PENDING', 'RUNNING)', 'FAILED'\)": FOLLOWED,
    # social_selling
    rf"{SHORT_CUTS} delete_statement: PERFORM FROM (inserted|changed|deleted) OFFSET 1;": GENERAL,
    rf"{SHORT_CUTS} delete_statement: IF NOT FOUND": GENERAL,
    rf"{SHORT_CUTS} shift_constant: 1 → \(0\) in PERFORM FROM (inserted|changed|deleted) OFFSET 1;": GENERAL,
    r"decrement_unread_count drop_condition: sign < 0 → TRUE in MAX.* AS gone": AGAIN,
    r"decrement_unread_count replace_operator: < → <= ": SIGN,
    r"decrement_unread_count replace_operator: > → >= in (MAX|OR MAX)": SIGN,
    r"decrement_unread_count shift_constant: 0 → 1 in MAX.* AS gone": SIGN,
    r"decrement_unread_count shift_constant: 0 → 1 in OR MAX.*sign > 0\)$": SIGN,
    r"decrement_unread_count shift_constant: 0 → \(-1\) in MAX.* AS latest": SIGN,
    r"decrement_unread_count shift_constant: 0 → \(-1\) in OR MAX.*\(2\)$": SIGN,
}
LATER = "needs a transaction of several statements, of which a later one mends what an earlier one wrote"
MANY = "needs a state in which one message is empty and no other one is; other empty messages hide it"
RARE = "needs two rows, or two values, that are not among those that are tried"
KEYS = "needs a key that changes, or is new, in the same statement as what refers to it"
TIES = "needs several rows of one time among those that move; histories find it"
NOT_SEEN: dict[str, str] = {
    r"decrement_unread_count negate_condition: sender_type .* in HAVING COALESCE": TIES,
    r"touch_messages? (negate_condition|drop_condition|replace_operator): .* in UPDATE": MANY,
    r"require_content drop_condition: AND messages\.(content|deleted_at) IS NULL": LATER,
    r"release_last_message drop_condition: AND last_message_id": LATER,
    r"release_last_message replace_operator: AND → OR": LATER,
    r"release_last_message swap_names: OLD → NEW .*\(2\)$": KEYS,
    r"subtract_unread shift_constant: 1 → 2 in SELECT .*OFFSET 1\)": RARE,
    r"follow_items change_text: 'INSERT' → 'another' in WHEN status": RARE,
    r"stamp_job swap_names: NEW → OLD in WHEN NEW\.status IN .*\(2\)$": RARE,
    r"refuse_contradiction swap_names: NEW → OLD in WHEN 'FAILED'": KEYS,
    r"refuse_contradiction swap_names: NEW → OLD in SELECT .*\('PENDING', 'RUNNING'\)": KEYS,
}


@dataclass(frozen=True)
class Called:
    """A function that triggers call, with the defects that can be planted in it."""

    path: Path
    function: Function
    defects: tuple[Planted, ...]

    def __str__(self) -> str:
        return f"{self.path.name}.{self.function.name.name}"


@cache
def triggers() -> tuple[tuple[Path, Name, Trigger], ...]:
    """Every trigger of every system, from the frozen contracts: no server is needed to name the tests."""
    catalogs = ((path, read(System.load(path).contract).catalog) for path in PATHS)
    return tuple(
        (path, table.name, t) for path, catalog in catalogs for table in catalog.tables for t in table.triggers
    )


@cache
def functions() -> tuple[Called, ...]:
    """Every function that they call."""
    return tuple(_functions())


def _functions() -> Iterator[Called]:
    for path in PATHS:
        called = {t.function for at, _, t in triggers() if at == path}
        for function in read(System.load(path).contract).catalog.functions:
            if function.name in called:
                yield Called(path, function, tuple(planted(function.body, OTHERS)))


def named(called: Called, defect: Planted) -> str:
    """What the patterns are about."""
    return " ".join(f"{called} {defect}".split())


NO_FUNCTION = (errors.SyntaxError, errors.UndefinedObject, errors.InvalidFunctionDefinition, errors.DatatypeMismatch)
"""What PostgreSQL says to a body that is none; anything else is no reason to call a defect seen."""
NO_SUCH_TRIGGER = (
    *NO_FUNCTION,
    errors.FeatureNotSupported,
    errors.InvalidObjectDefinition,
    errors.InvalidColumnReference,
    errors.WrongObjectType,
)


def among(patterns: dict[str, str], name: str) -> bool:
    """Whether some pattern is about this defect."""
    return any(re.search(pattern, name) for pattern in patterns)


def listed(name: str) -> bool:
    """Whether the proof need not see this defect."""
    return any(among(patterns, name) for patterns in (EQUIVALENT, NOT_SEEN))


def unseen_triggers(bench: Bench, promise: TriggerPromise) -> list[str]:
    """The trigger's defects that can be created and that its proof does not see."""
    found = []
    for label, defect in trigger_defects(promise.trigger):
        with ExitStack() as stack:
            try:
                stack.enter_context(bench.with_trigger(promise, defect))
            except NO_SUCH_TRIGGER:
                continue
            evidence = bench.prove(promise)
        if evidence.contradiction is None:
            found.append(f"{promise.id} {label}")
    return found


def seen(bench: Bench, called: Called, defect: Planted) -> bool:
    """Whether the proof of some trigger sees the defect, with 19 of 20 seeds at least."""
    promises = bench.calling(called.function.name.name)
    for promise in promises:
        bench.rehearse(promise)
    with ExitStack() as stack:
        try:
            stack.enter_context(bench.with_body(promises[0], defect.body))
        except NO_FUNCTION:
            return True
        if any(bench.judge(promise, examples=0).contradiction is not None for promise in promises):
            # whatever the seed
            return True
        missed = 0
        for seed in range(SEEDS):
            judged = (bench.judge(p, seed=seed, examples=DEFAULT_EXAMPLES) for p in promises)
            missed += all(evidence.contradiction is None for evidence in judged)
            if missed > SEEDS - FOUND:
                return False
    return True


def unseen(bench: Bench, called: Called, defects: Sequence[Planted]) -> list[str]:
    """The names of the defects that are not seen."""
    return [named(called, defect) for defect in defects if not seen(bench, called, defect)]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("path", "table", "trigger"),
    [pytest.param(*one, id=f"{one[0].name}.{trigger_id(one[1], one[2].name)}") for one in triggers()],
)
def test_every_defect_of_a_trigger_is_seen(
    path: Path, table: Name, trigger: Trigger, bench_of: Callable[[Path], Bench]
) -> None:
    """Gone, off, at other events, at another time, for other rows: the proof has a counterexample."""
    bench = bench_of(path)
    promise = bench.promises[trigger_id(table, trigger.name)]
    expected = [f"{promise.id} {label}" for label, _ in trigger_defects(trigger)]
    assert unseen_triggers(bench, promise) == [one for one in expected if among(EQUIVALENT_TRIGGERS, one)]


@pytest.mark.parametrize("called", [c for c in functions() if c.function.name.name in SAMPLED_FUNCTIONS], ids=str)
def test_defects_planted_in_a_function_are_seen(called: Called, bench_of: Callable[[Path], Bench]) -> None:
    """A sample."""
    sample = [defect for defect in called.defects if not listed(named(called, defect))][::EACH]
    assert sample
    assert unseen(bench_of(called.path), called, sample) == []


@pytest.mark.thorough
@pytest.mark.parametrize("called", functions(), ids=str)
def test_every_defect_planted_in_a_function_is_seen(called: Called, bench_of: Callable[[Path], Bench]) -> None:
    """All but those that are listed; and of those that are listed none, or the lists would be wrong."""
    defects = called.defects[:: 1 if ALL else FEWER]
    found = unseen(bench_of(called.path), called, defects)
    assert found == [name for defect in defects if listed(name := named(called, defect))]


def test_every_reason_is_needed() -> None:
    """A pattern that no defect matches any more excuses nothing, and would hide what comes."""
    names = [named(called, defect) for called in functions() for defect in called.defects]
    lists = (EQUIVALENT, NOT_SEEN)
    assert [p for patterns in lists for p in patterns if not any(re.search(p, name) for name in names)] == []
    names = [f"{trigger_id(table, t.name)} {label}" for _, table, t in triggers() for label, _ in trigger_defects(t)]
    assert [p for p in EQUIVALENT_TRIGGERS if not any(re.search(p, name) for name in names)] == []


def test_most_defects_are_real() -> None:
    """The lists of excuses are short beside what is planted."""
    names = [named(called, defect) for called in functions() for defect in called.defects]
    assert len(names) > 700
    assert sum(map(listed, names)) < len(names) / 5
    assert sum(among(NOT_SEEN, name) for name in names) < len(names) / 50
