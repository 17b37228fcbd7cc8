"""JSON documents that conditions ask for by their paths."""

from __future__ import annotations

import json

import pytest

from pgcontract.sql import parse_expression
from pgcontract.values.paths import documents
from pgcontract.values.terms import term


def asked(condition: str) -> list[object]:
    """The documents that a condition over the columns ``d`` and ``other`` asks ``d`` for."""
    tree = term(parse_expression(condition), ["d", "other"])
    return [json.loads(text) for text in documents("d", [tree])]


@pytest.mark.parametrize(
    ("condition", "document"),
    [
        ("(d ->> 'a') = 'x'", {"a": "x"}),
        ("(d -> 'a' ->> 'b') IS NOT NULL", {"a": {"b": "a"}}),
        ("(d #>> '{a,b}'::text[]) = 'x'", {"a": {"b": "x"}}),
        ("(d -> 1 ->> 'a')::integer > 4", [None, {"a": 4}]),
        ("d ? 'a' AND d ? 'b'", {"a": "a", "b": "a"}),
        ("d ?& ARRAY['a', 'b']", {"a": "a", "b": "a"}),
        ("jsonb_typeof(d -> 'a') = 'array'", {"a": []}),
        ("jsonb_extract_path_text(d, 'a', 'b') = 'x'", {"a": {"b": "x"}}),
        ("(d ->> 'a') = ANY ('{x,y}'::text[])", {"a": "y"}),
    ],
)
def test_a_document_has_what_is_asked_for(condition: str, document: object) -> None:
    """By keys, by places in arrays, by paths; with a value that it is compared with, or of the kind that it must be."""
    assert document in asked(condition)


@pytest.mark.parametrize(
    "condition", ["(other ->> 'a') = 'x'", "length(d::text) < 9", "(d -> 1000000) IS NULL", "d = '{'"]
)
def test_no_path_no_document(condition: str) -> None:
    """Another column's path, no path at all, or an element that is too far off."""
    assert asked(condition) == []


def test_the_number_of_documents_is_bounded() -> None:
    """However many paths and constants there are."""
    many = " AND ".join(f"(d ->> 'k{n}') IN ('a{n}', 'b{n}')" for n in range(40))
    assert 0 < len(asked(many)) <= 24
