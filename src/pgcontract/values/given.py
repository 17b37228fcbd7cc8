"""What a system's settings give for a column or a table: examples, a regular expression, or an SQL expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import islice

from hypothesis import strategies as st

from pgcontract.values.patterns import regular
from pgcontract.values.solver import Domain

SHAPE = 'one of { examples = ["DE", "FR"] }, { regex = "[a-z]+" } and { expression = "now() - n * interval \'1 day\'" }'
MOST = 60
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Given:
    """Exactly one of them. ``rows`` are examples of a whole table, each by column."""

    examples: tuple[str, ...] = ()
    rows: tuple[Mapping[str, str], ...] = ()
    regex: str | None = None
    expression: str | None = None


def given(plain: object) -> Given | None:
    """What a value of ``[values]`` says; None where it is not as it must be."""
    if not isinstance(plain, dict) or len(plain) != 1:
        return None
    ((kind, value),) = plain.items()
    if kind in ("regex", "expression") and isinstance(value, str) and value.strip():
        return Given(regex=value) if kind == "regex" else Given(expression=value)
    if kind != "examples" or not isinstance(value, list) or not value:
        return None
    if all(isinstance(row, dict) and row for row in value):
        rows = [{column: _text(one) for column, one in row.items()} for row in value]
        return Given(rows=tuple(_whole(row) for row in rows)) if all(None not in r.values() for r in rows) else None
    texts = [_text(one) for one in value]
    return None if None in texts else Given(examples=tuple(text for text in texts if text is not None))


def _whole(row: Mapping[str, str | None]) -> dict[str, str]:
    return {column: text for column, text in row.items() if text is not None}


def _text(value: object) -> str | None:
    """PostgreSQL's text input of what TOML can say; None for what is no value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, str | int | float) else None


def matching(regex: str) -> tuple[str, ...]:
    """Texts that match a regular expression of PostgreSQL's, the simplest first; none where it cannot be read here."""
    pattern = regular(regex)
    if pattern is None:
        return ()
    return tuple(islice(dict.fromkeys((*pattern.examples, *islice(pattern.words(0, _LONGEST), MOST))), MOST))


def only(domain: Domain, values: tuple[str, ...]) -> Domain:
    """A column's domain with no other values than these, but where more are needed that differ."""

    def fresh(number: int) -> str | None:
        return values[number] if number < len(values) else domain.fresh(number - len(values))

    nulls: tuple[str | None, ...] = (None,) if domain.null == "allowed" else ()
    boundaries = (*values, *nulls)
    return replace(domain, simplest=values[0], boundaries=boundaries, strategy=st.sampled_from(boundaries), fresh=fresh)


def unknown(type_text: str, values: tuple[str, ...]) -> Domain:
    """The domain of a column of a type of which nothing is known but these values."""
    boundaries = (*values, None)
    return Domain(
        type=type_text,
        exact=False,
        empty=False,
        null="allowed",
        simplest=values[0],
        boundaries=boundaries,
        strategy=st.sampled_from(boundaries),
        fresh=lambda number: values[number] if number < len(values) else None,
    )
