"""Values of one column as SQL expressions in the row's number, the most realistic first. The database judges them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pgcontract.model import Catalog, Column
from pgcontract.populate.dice import NUMBER, POSITION, Dice
from pgcontract.populate.words import PHRASES, array
from pgcontract.rows.statements import Value, quote

END: Final = "'2025-01-01 00:00:00+00'::timestamptz"
"""When the last row was made: no run's own time, so that the same plan gives the same rows."""
PERIOD_DAYS: Final = 365
LONG_TEXT: Final = 200
MOST_VALUES: Final = 64
INTEGERS: Final = ("smallint", "integer", "bigint")
TEXTS: Final = ("text", "character varying", "character", "citext", "name")
TIMES: Final = ("timestamp with time zone", "timestamp without time zone", "date")
NUMBERS: Final = (*INTEGERS, "numeric", "real", "double precision")
_NUMBER_RANGES: Final = {"int4range": "integer", "int8range": "bigint", "numrange": "numeric"}
_TIME_RANGES: Final = {"tsrange": "timestamp", "tstzrange": "timestamptz", "daterange": "date"}


def base_type(type_text: str, catalog: Catalog) -> str:
    """The type under all domains, with its modifier."""
    while (
        found := next((d for d in catalog.domains if _same(d.name.namespace, d.name.name, type_text)), None)
    ) is not None:
        type_text = found.type
    return type_text


def kind(type_text: str) -> str:
    """The type without its modifier; citext wherever it was installed."""
    plain = re.sub(r"\([^)]*\)", "", type_text)
    return "citext" if plain.rpartition(".")[2] == "citext" else plain


def limit(type_text: str) -> int | None:
    """How many characters a text may have by its type."""
    found = re.search(r"^(?:character|character varying)\((\d+)\)", type_text)
    return int(found[1]) if found else (1 if type_text == "character" else 63 if type_text == "name" else None)


def moment(rows: int) -> str:
    """When a row was made: evenly over the period, in the order of the rows, the last one at its end."""
    tick = PERIOD_DAYS * 86_400.0 / max(rows, 1)
    return f"({END} - (GREATEST({rows} - {POSITION}, 0) * {tick!r}) * interval '1 second')"


def distinct(dice: Dice, type_text: str, first: int) -> Iterator[str]:
    """A different value for each row. ``first`` is what numbers of a key have reached."""
    plain, most = kind(type_text), limit(type_text)
    if plain in NUMBERS:
        yield f"({first} + {POSITION})"
    elif plain in TEXTS:
        for text in _names(dice):
            yield text if most is None else f"({text})::varchar({most})"
        yield f"to_hex({NUMBER})"
    elif plain in TIMES:
        yield f"({END} - {PERIOD_DAYS} * interval '1 day' + {NUMBER} * interval '1 second')"
        yield f"('2000-01-01'::date + {NUMBER}::integer)"
    elif plain in _NUMBER_RANGES:
        bound = _NUMBER_RANGES[plain]
        yield f"{plain}((2 * {NUMBER})::{bound}, (2 * {NUMBER} + 1)::{bound})"
    elif plain in _TIME_RANGES:
        start, bound = f"(timestamptz '2000-01-01 00:00:00+00' + {NUMBER} * interval '2 days')", _TIME_RANGES[plain]
        yield f"{plain}({start}::{bound}, ({start} + interval '1 day')::{bound})"
    else:
        others = {
            "uuid": f"{dice.hexadecimal()}::uuid",
            "bytea": f"decode({dice.hexadecimal()}, 'hex')",
            "inet": f"('10.0.0.0'::inet + {NUMBER})",
            "jsonb": f"jsonb_build_object('n', {NUMBER})",
        }
        yield from (others[plain],) if plain in others else ()


def _names(dice: Dice) -> Iterator[str]:
    """Texts that no two rows share, in the shapes that CHECKs ask for."""
    word = f"({array(short=True)})[1 + {dice.below(PHRASES, 1)}]"
    digits = f"lpad({NUMBER}::text, 12, '0')"
    yield f"{word} || '_' || to_hex({NUMBER})"
    yield f"{word} || to_hex({NUMBER}) || '@example.com'"
    yield f"{dice.hexadecimal()} || {dice.hexadecimal(2)}"
    yield dice.hexadecimal()
    yield f"sha256({dice.hexadecimal()}::bytea)::text"
    yield f"'https://example.com/' || {word} || '/' || {NUMBER}"
    yield f"{word} || '-' || {NUMBER}"
    yield f"{word} || '-' || {NUMBER} || '.example.com'"
    yield f"{digits}"
    yield f"'+' || {digits}"
    yield f"upper({word}) || '-' || {NUMBER}"
    yield f"translate({NUMBER}::text, '0123456789', 'abcdefghij')"
    yield f"upper(translate({NUMBER}::text, '0123456789', 'abcdefghij'))"
    yield f"{NUMBER}::text"


def realistic(dice: Dice, column: Column, type_text: str, rows: int, values: Sequence[Value]) -> Iterator[str]:
    """Values that many rows may share: times over a period, words, small numbers; ``values`` are the vetted ones."""
    plain = kind(type_text)
    if plain in TIMES:
        yield f"({moment(rows)} + {dice.below(3600)} * interval '1 second')"
    elif plain in TEXTS:
        yield from _words(dice, column.name, limit(type_text))
    elif plain in NUMBERS:
        # many small ones, few large ones
        for most in (10_000, 1000, 100, 10):
            yield f"floor(power({most}.0::float8, {dice.unit()}))"
            yield f"-floor(power({most}.0::float8, {dice.unit()}))"
        yield dice.unit()
    others = {
        "boolean": f"({dice.often(0.5)})",
        "uuid": f"{dice.hexadecimal()}::uuid",
        "inet": f"('10.0.0.0'::inet + {dice.below(2**24)})",
        "bytea": f"decode({dice.hexadecimal()}, 'hex')",
        "interval": f"({dice.below(86_400)} * interval '1 second')",
    }
    yield from (others[plain],) if plain in others else ()
    yield from chosen(dice, values)


def _words(dice: Dice, name: str, most: int | None) -> Iterator[str]:
    pieces = [f"({array()})[1 + {dice.below(PHRASES, throw)}]" for throw in (0, 1)]
    short = [f"({array(short=True)})[1 + {dice.below(PHRASES, throw)}]" for throw in (0, 1)]
    if (most is None or most >= LONG_TEXT) and _is_prose(name):
        yield " || ' ' || ".join(pieces)
    yield " || ' ' || ".join(short)
    yield f"{short[0]}::text"


def worked_in(value: str, most: int) -> Iterator[str]:
    """The value with the row's number in the place of its longest run of digits or letters that can hold so many."""
    runs = sorted(re.finditer(r"[0-9]+|[a-z]+|[A-Z]+", value), key=lambda run: run.start() - run.end())
    for run in runs:
        width = run.end() - run.start()
        if 10**width <= most:
            return
        digits = f"lpad({NUMBER}::text, {width}, '0')"
        if run[0].isalpha():
            letters = "abcdefghij" if run[0].islower() else "ABCDEFGHIJ"
            digits = f"translate({digits}, '0123456789', '{letters}')"
        yield f"{quote(value[: run.start()])} || {digits} || {quote(value[run.end() :])}"


def _is_prose(name: str) -> bool:
    parts = (
        "content",
        "body",
        "text",
        "description",
        "message",
        "comment",
        "note",
        "bio",
        "caption",
        "prompt",
        "value",
    )
    return any(part in name.lower() for part in parts)


def chosen(dice: Dice, values: Sequence[Value]) -> Iterator[str]:
    """One of these values."""
    texts = [v for v in values if isinstance(v, str)][:MOST_VALUES]
    if len(texts) == 1:
        yield quote(texts[0])
    elif texts:
        listed = ", ".join(quote(v) for v in texts)
        yield f"(ARRAY[{listed}]::text[])[1 + {dice.below(len(texts))}]"


def _same(namespace: str, name: str, type_text: str) -> bool:
    return type_text in (
        f"{_quoted(namespace)}.{_quoted(name)}",
        _quoted(name),
    )


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'
