"""Regular expressions and LIKE as PostgreSQL understands them; that it agrees is an integration test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcontract.values.patterns import Pattern, like, regular, similar

EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


def pattern(source: str, *, insensitive: bool = False) -> Pattern:
    """A pattern that can be read."""
    found = regular(source, insensitive=insensitive)
    assert found is not None
    return found


def test_the_simplest_match_is_what_a_person_would_write() -> None:
    """Short, of letters."""
    assert pattern(EMAIL).examples[0] == "a@a.a"
    assert pattern("^[A-Z]{3}$").examples[0] == "AAA"
    assert pattern(r"^\d+(\.\d+)?$").examples[0] == "0"
    assert pattern("^#([0-9a-f]{3}|[0-9a-f]{6})$").examples[0] == "#aaa"


def test_every_alternative_and_option_has_an_example() -> None:
    """Each choice is made once."""
    assert {"a", "bb"} <= set(pattern("^(a|bb)$").examples)
    assert {"a", "ab"} <= set(pattern("^ab?$").examples)
    assert "a" * 5 in pattern("^a{2,5}$").examples


def test_anchors_are_the_text_s_not_the_line_s() -> None:
    """``$`` does not match before a line break at the end, as Python's would."""
    assert pattern("^a$").matches("a\n") is False
    assert pattern("(?n)^a$").matches("b\na\nc") is True
    assert pattern("^a.c$").matches("a\nc") is True
    assert pattern("(?n)^a.c$").matches("a\nc") is False


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("^[[:alpha:]]+$", "é"),
        (r"^\w$", "中"),
        (r"^\S$", "\u00a0"),
        (r"^\D$", "٣"),
        ("(?i)^é$", "É"),
    ],
)
def test_what_the_locale_decides_is_left_to_the_server(source: str, text: str) -> None:
    """Neither true nor false is answered."""
    assert pattern(source).matches(text) is None


def test_what_the_locale_has_no_say_in_is_answered() -> None:
    """A letter beyond ASCII is no @ and no space."""
    assert pattern(EMAIL).matches("é@中.😀") is True


@pytest.mark.parametrize("source", ["a**", "(", "[a", r"\2", "***x", "(?<=a*)b", r"[\W]", "{1}", r"\Q", "a{2}{3}"])
def test_what_cannot_be_read_is_none(source: str) -> None:
    """Whether PostgreSQL accepts it or not."""
    assert regular(source) is None


def test_near_misses_are_one_step_away_and_no_match() -> None:
    """One character deleted, added, replaced, or another case; the empty text is among them."""
    misses = pattern("^[A-Z]{3}$").near_misses
    assert {"AA", "AAA\n", "AAA ", "aaa"} <= set(misses)
    assert "" in misses
    assert not any(pattern("^[A-Z]{3}$").matches(m) for m in misses)


def test_matches_of_a_length_are_found() -> None:
    """Exactly that long, or none."""
    assert pattern(EMAIL).of_length(255) == "a" * 251 + "@a.a"
    assert pattern("^[A-Z]{3}$").of_length(4) is None


def test_words_are_distinct_matches() -> None:
    """Many of them, within the lengths."""
    words = [w for w, _ in zip(pattern(EMAIL).words(5, 20), range(2000), strict=False)]
    assert len(set(words)) == len(words) == 2000
    assert all(pattern(EMAIL).matches(w) and len(w) <= 20 for w in words)


def test_like_is_the_whole_text_with_two_wildcards() -> None:
    """A backslash takes their meaning away."""
    found = like(r"a\_%c_")
    assert found is not None
    assert found.matches("a_\nxcd") is True
    assert found.matches("abxcd") is False
    assert like("a\\") is None


def test_similar_becomes_a_regular_expression() -> None:
    """As PostgreSQL's own function does it."""
    assert similar("(a|b)%_c.") == r"^(?:(?:a|b).*.c\.)$"


@pytest.mark.parametrize("source", [EMAIL, "^[a-z0-9_]{3,30}$", r"^(\+\d{1,3} )?\d{3,4}(-\d{2}){2}$", "b|^$", "x"])
@given(data=st.data())
def test_draws_match(source: str, data: st.DataObject) -> None:
    """What is drawn without bounds matches."""
    found = pattern(source)
    assert found.matches(data.draw(found.strategy(0, 255))) is not False
