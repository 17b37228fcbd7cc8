"""Numbers with what they count, as people write them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgcontract
from pgcontract.signs import count

PACKAGE = Path(pgcontract.__file__).parent
# where words for people are made, and none of them is a value or a piece of SQL
ROOMS = ("cli", "report", "migrations", "database", "doctor", "rehearse", "compare", "load", "server", "models")
COUNTED = "rows|promises|seconds|statements|migrations|mutants|checks|users|lines|findings|connections|rounds|steps"


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (1234, "promise", "1,234 promises"),
        (1, "query", "1 query"),
        (2, "query", "2 queries"),
        (2, "key", "2 keys"),
        (1.0, "second", "1 second"),
        (0.5, "second", "0.5 seconds"),
        (60.0, "second", "60 seconds"),
    ],
)
def test_a_number_stands_with_the_form_that_it_takes(number: float, noun: str, told: str) -> None:
    """One of a kind is singular; a number without a fraction has no point."""
    assert count(number, noun) == told


def plurals(text: str) -> Iterator[str]:
    """What follows a value in an f-string, where that is a noun in the plural."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            for value, rest in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(rest, ast.Constant):
                    yield from re.findall(rf"^ (?:{COUNTED})\b", str(rest.value))


def test_no_message_puts_a_plural_behind_any_number() -> None:
    """Of one it would be wrong: ``count`` knows which form a number takes."""
    assert list(plurals("f'{n} rows'")) == [" rows"]
    files = [file for room in ROOMS for file in sorted(PACKAGE.glob(f"{room}*/**/*.py"))]
    assert len(files) > len(ROOMS)
    found = {file.name: told for file in files if (told := list(plurals(file.read_text(encoding="utf-8"))))}
    assert found == {}
