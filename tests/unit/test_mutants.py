"""Expressions one change away, on the parse tree."""

from __future__ import annotations

import pytest

from pgcontract.promises.mutants.expressions import variants


def changed(expression: str) -> set[tuple[str, str]]:
    """Operators and texts."""
    return {(operator, text) for operator, text, _ in variants(expression)}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 0", {("relax_bound", "a >= 0"), ("tighten_bound", "a > 1"), ("relax_bound", "a > -1")}),
        ("a <= 5", {("tighten_bound", "a < 5"), ("relax_bound", "a <= 6"), ("tighten_bound", "a <= 4")}),
        ("a = 1 AND b", {("drop_conjunct", "b"), ("drop_conjunct", "a = 1"), ("replace_operator", "a = 1 OR b")}),
        ("a OR b", {("drop_disjunct", "a"), ("drop_disjunct", "b"), ("replace_operator", "a AND b")}),
        ("NOT a", {("negate_condition", "a")}),
        ("a IS NULL", {("replace_operator", "a IS NOT NULL")}),
        ("a ~ 'x'", {("replace_operator", "a ~* 'x'")}),
        ("a = ANY (ARRAY['new', 'old'])", {("add_in_value", "a = ANY(ARRAY['new', 'old', 'new_mutant'])")}),
        (
            "a = ANY (ARRAY['x', 'y'])",
            {
                ("remove_in_value", "a = ANY(ARRAY['x'])"),
                ("remove_in_value", "a = ANY(ARRAY['y'])"),
                ("add_in_value", "a = ANY(ARRAY['x', 'y', 'X'])"),
            },
        ),
    ],
)
def test_what_is_changed(expression: str, expected: set[tuple[str, str]]) -> None:
    """All of these are among them."""
    assert changed(expression) >= expected


def test_a_change_deep_inside_is_made_there_and_nowhere_else() -> None:
    """Whatever stands around stays as it is."""
    found = changed("lower(a) = a AND (length(a) > 3 OR a IS NULL)")
    assert ("relax_bound", "lower(a) = a AND (length(a) >= 3 OR a IS NULL)") in found
    assert all(text.startswith(("lower(a)", "length(a)")) for _, text in found)


def test_nothing_comes_twice_and_nothing_is_the_original() -> None:
    """Each text once."""
    texts = [text for _, text, _ in variants("a > 0 AND a > 0 AND b < 1")]
    assert len(texts) == len(set(texts))
    assert "a > 0 AND a > 0 AND b < 1" not in texts


def test_what_no_row_can_tell_is_said() -> None:
    """A moment that never comes again, and a value that no function returns."""
    reasons = {text: same for _, text, same in variants("at <= clock_timestamp()")}
    assert reasons["at < clock_timestamp()"] is not None
    reasons = {text: same for _, text, same in variants("jsonb_typeof(a) = ANY (ARRAY['array', 'object'])")}
    assert reasons["jsonb_typeof(a) = ANY(ARRAY['array', 'object', 'array_mutant'])"] == "no function returns that"
    assert reasons["jsonb_typeof(a) = ANY(ARRAY['array', 'object', 'string'])"] is None
