"""CHECK expressions as conditions: their atoms, the ways to make them true or false, and what decides alone."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcontract.sql import SqlError
from pgcontract.values.expressions import Condition, Literal, atoms, branches, columns, deciding, evaluate, parse_check

NAMES: Final = ("a", "b", "c", "status", "is_read", "read_at", "x")


def parsed(expression: str) -> Condition:
    """The condition over the names above."""
    return parse_check(expression, NAMES)


def ways(expression: str, *, truth: bool = True) -> list[str]:
    """Each way as text."""
    return [" & ".join(map(str, way)) for way in branches(parsed(expression), truth)]


def test_not_is_pushed_down_to_the_atoms() -> None:
    """De Morgan, without changing what an atom says."""
    expression = "NOT (a > 1 AND (b < 2 OR x IS NULL))"
    assert ways(expression) == ["NOT (a > 1)", "NOT (b < 2) & NOT (x IS NULL)"]
    assert ways(expression, truth=False) == ["a > 1 & b < 2", "a > 1 & x IS NULL"]


def test_between_is_two_comparisons() -> None:
    """Each end decides alone."""
    assert ways("a BETWEEN 1 AND 3") == ["a >= 1 & a <= 3"]
    assert ways("a NOT BETWEEN 1 AND 3") == ["NOT (a >= 1)", "NOT (a <= 3)"]


def test_an_in_list_is_one_atom() -> None:
    """As written and as PostgreSQL prints it."""
    assert len(atoms(parsed("status IN ('a', 'b')"))) == 1
    printed = "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))"
    assert len(atoms(parsed(printed))) == 1


def test_an_atom_and_its_opposite_are_one() -> None:
    """IS NULL and IS NOT NULL in one condition are two truths of one atom."""
    condition = parsed("(is_read AND read_at IS NOT NULL) OR (NOT is_read AND read_at IS NULL)")
    assert [a.text for a in atoms(condition)] == ["is_read", "read_at IS NOT NULL"]
    assert len(branches(condition, truth=True)) == 2


def test_counted_nulls_are_tests_of_their_own_where_there_is_one_way() -> None:
    """All of them, or none; a number between leaves a choice, and is one atom."""
    assert ways("num_nonnulls(a, b) = 2 AND num_nonnulls(x) = 0") == ["NOT (a IS NULL) & NOT (b IS NULL) & x IS NULL"]
    assert ways("num_nulls(a, b) > 1", truth=False) == ["NOT (a IS NULL)", "NOT (b IS NULL)"]
    assert ways("num_nulls(a, b) = 0") == ways("num_nonnulls(a, b) >= 2")
    assert ways("num_nonnulls(a, b) = 1") == ["num_nonnulls(a, b) = 1"]


def test_equality_of_conditions_is_both_or_neither() -> None:
    """(a IS NULL) = (b IS NULL)."""
    assert ways("(a IS NULL) = (b IS NULL)") == ["a IS NULL & b IS NULL", "NOT (a IS NULL) & NOT (b IS NULL)"]
    different = [set(way.split(" & ")) for way in ways("is_read = (read_at IS NOT NULL)", truth=False)]
    assert sorted(map(sorted, different)) == [
        ["NOT (is_read)", "read_at IS NOT NULL"],
        ["NOT (read_at IS NOT NULL)", "is_read"],
    ]


def test_case_has_a_way_for_each_when() -> None:
    """The first WHEN that holds decides."""
    expression = "CASE WHEN a > 1 THEN b IS NULL WHEN a = 0 THEN true ELSE false END"
    assert ways(expression) == ["a > 1 & b IS NULL", "NOT (a > 1) & a = 0"]


def test_contradictions_are_no_way() -> None:
    """What must be NULL and not NULL cannot be; anything makes that false."""
    assert ways("x IS NULL AND x IS NOT NULL") == []
    assert set(ways("x IS NULL AND x IS NOT NULL", truth=False)) == {"x IS NULL", "NOT (x IS NULL)"}


def test_what_is_not_understood_is_one_atom_with_its_columns() -> None:
    """Its text can be evaluated by itself."""
    (atom,) = atoms(parsed("public.is_good(a, b -> 'c') = (SELECT 1)"))
    assert atom.columns == {"a", "b"}
    assert parse_check(atom.text, NAMES) == atom


def test_columns_are_those_that_are_spoken_of() -> None:
    """Not the constants that bear their names."""
    assert columns(parsed("a > 1 OR (status = 'b')")) == {"a", "status"}


def test_ways_are_bounded() -> None:
    """A conjunction of many disjunctions has more ways than anybody can try."""
    expression = " AND ".join(f"(a = {n} OR b = {n})" for n in range(20))
    assert len(branches(parsed(expression), truth=True, limit=64)) == 64


def test_what_does_not_parse_is_an_error_with_its_place() -> None:
    """The parser's own."""
    with pytest.raises(SqlError) as error:
        parsed("a >")
    assert error.value.line == 1


def test_each_condition_of_a_conjunction_decides_alone() -> None:
    """All others are true."""
    condition = parsed("a > 1 AND b > 1 AND c > 1")
    second = atoms(condition)[1]
    assert [set(map(str, way)) for way in deciding(condition, second)] == [{"a > 1", "c > 1", "NOT (b > 1)"}]


def test_each_condition_of_a_disjunction_decides_alone() -> None:
    """All others are false."""
    condition = parsed("a > 1 OR b > 1")
    first = atoms(condition)[0]
    assert [set(map(str, way)) for way in deciding(condition, first)] == [{"NOT (a > 1)", "NOT (b > 1)"}]


expressions = st.recursive(
    st.sampled_from(["a > 1", "b > 1", "c > 1", "x IS NULL", "x IS NOT NULL", "a <= 1"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        inner.map(lambda e: f"(NOT {e})"),
    ),
    max_leaves=6,
)


@given(expressions)
def test_ways_are_exactly_the_rows_of_the_truth_table(expression: str) -> None:
    """Every assignment that makes the whole true (false) is covered by a way, and every way makes it so."""
    condition = parsed(expression)
    all_atoms = atoms(condition)
    for truth in (True, False):
        found = branches(condition, truth, limit=500)
        assert all(evaluate(condition, way) is truth for way in found)
        for values in product([True, False], repeat=len(all_atoms)):
            row = [Literal(atom, value) for atom, value in zip(all_atoms, values, strict=True)]
            covered = any(set(way) <= set(row) for way in found)
            assert covered is (evaluate(condition, row) is truth)


@given(expressions)
def test_flipping_the_deciding_atom_turns_the_whole(expression: str) -> None:
    """The whole is false, and true when the one atom changes its truth."""
    condition = parsed(expression)
    for atom in atoms(condition):
        for way in deciding(condition, atom):
            assert evaluate(condition, way) is False
            flipped = [lit if lit.atom != atom else Literal(atom, not lit.truth) for lit in way]
            assert evaluate(condition, flipped) is not False
