"""Patterns against a real server: where an answer is given, PostgreSQL gives the same."""

from __future__ import annotations

from typing import Final

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcontract.values.patterns import like, regular, similar
from tests.integration.fix_values import Judge

PIECES: Final = (
    *(
        "a",
        "b",
        "-",
        "]",
        "{",
        "}",
        "{,2}",
        " ",
        "é",
        "\n",
        "0",
        "A",
        ".",
        "^",
        "$",
        "|",
        "(",
        "(?:",
        "(?=",
        "(?!",
        ")",
    ),
    *("*", "+", "?", "*?", "{2}", "{1,2}", "{0,}", "[ab]", "[^ab]", "[a-c]", "[]a]", "[^]a]", "[a-]", "[[:alpha:]_]"),
    *(r"\d", r"\s", r"\w", r"\D", r"\S", r"\W", r"[\d-]", r"[\s\w]", r"\.", r"\\", r"\n", r"\t", r"\A", r"\Z", r"\y"),
    *(r"\m", r"\M", r"\Y", r"\1", r"\x41", r"\u0041", r"\B", r"[\n]", r"[\]a]", r"\e", r"\cA", "[[.a.]]", "[[=a=]]"),
    *("(?i)", "(?n)", "(?s)", "(?p)", "(?w)", "(?x)", "***:", "***=", "(?<=a)", "(?#b)", "[:alpha:]", "a{2", "[z-a]"),
)
TEXTS: Final = (
    "",
    "a",
    "ab",
    "A",
    "0",
    "a\n",
    "\na",
    "a b",
    "aa",
    "aabb",
    "é",
    "-",
    "]",
    "^",
    "\\",
    "{",
    "a{2",
    "\u00a0",
    "_",
)
texts = st.lists(st.text("abAB01 -_]^\\{}.é\n\t", max_size=6), min_size=1, max_size=5)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join), st.booleans(), texts)
@settings(max_examples=300, deadline=None, database=None)
def test_regular_expressions_agree(values_judge: Judge, source: str, insensitive: bool, drawn: list[str]) -> None:
    """Any sequence of pieces: what PostgreSQL refuses is not judged here, and nothing else is judged otherwise."""
    found = regular(source, insensitive=insensitive)
    if found is None:
        return
    tried = [*TEXTS, *drawn, *found.examples[:10], *found.near_misses[:10]]
    literal = values_judge.quoted(source)
    try:
        truths = values_judge.truths("text", f"x {'~*' if insensitive else '~'} {literal}", tried)
    except psycopg.errors.InvalidRegularExpression:
        return
    assert [(t, m) for t, m in zip(tried, truths, strict=True) if found.matches(t) not in {m, None}] == []


@given(st.text("ab%_\\.é\n", max_size=6), st.booleans(), texts)
@settings(max_examples=100, deadline=None, database=None)
def test_like_patterns_agree(values_judge: Judge, source: str, insensitive: bool, drawn: list[str]) -> None:
    """LIKE and ILIKE."""
    found = like(source, insensitive=insensitive)
    if found is None:
        return
    tried = [*TEXTS, *drawn, *found.examples[:10], *found.near_misses[:10]]
    operator = "ILIKE" if insensitive else "LIKE"
    truths = values_judge.truths("text", f"x {operator} {values_judge.quoted(source)}", tried)
    assert [(t, m) for t, m in zip(tried, truths, strict=True) if found.matches(t) not in {m, None}] == []


@given(
    st.lists(st.sampled_from(["a", "b", "%", "_", "(", ")", "|", "*", "+", "[ab]", "[^a]", ".", "^", "\\%"])).map(
        "".join
    )
)
@settings(max_examples=100, deadline=None, database=None)
def test_similar_patterns_agree(values_judge: Judge, source: str) -> None:
    """SIMILAR TO."""
    found = regular(similar(source) or "")
    if found is None:
        return
    try:
        truths = values_judge.truths("text", f"x SIMILAR TO {values_judge.quoted(source)}", TEXTS)
    except psycopg.errors.InvalidRegularExpression:
        return
    assert [(t, m) for t, m in zip(TEXTS, truths, strict=True) if found.matches(t) not in {m, None}] == []
