"""Values with an inner form: json, xml, full text, hstore, ltree."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.values.space import JsonNull, Refused, Space
from pgcontract.values.texts import BEYOND_BMP, CHARACTERS, NOT_UTF8, word

BAD_LITERAL: Final = "22P02"
SYNTAX: Final = "42601"
_DEPTH: Final = 200

_WORDS: Final = st.text(CHARACTERS, max_size=8)
_OBJECT_SHAPES: Final = (
    "{{}}",
    '{{"a": {0}}}',
    '{{"a": {0}, "b": {1}}}',
    '{{"b": {{"a": {0}}}, "c": {1}}}',
    '{{"a": [{0}, {1}]}}',
    '{{"": {0}, "é😀": {1}}}',
    '{{"key": {{"key": {{"key": {0}}}}}}}',
)
_ARRAY_SHAPES: Final = ("[]", "[{0}]", "[{0}, {1}]", '[{{"a": {0}}}]', "[[{0}], {1}]", "[{1}, {1}, {0}]")
_SCALARS: Final = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.integers(-(2**70), 2**70), _WORDS
)
_KEYS: Final = st.text("abcdefgh", max_size=3)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shaped(shapes: tuple[str, ...]) -> SearchStrategy[str]:
    # shapes to be filled: collections that are drawn take five times as long, and add no case
    return st.tuples(st.sampled_from(shapes), _SCALARS, _SCALARS).map(lambda t: t[0].format(_dump(t[1]), _dump(t[2])))


OBJECTS: Final = _shaped(_OBJECT_SHAPES)
ARRAYS: Final = _shaped(_ARRAY_SHAPES)
JSON_KINDS: Final[dict[str, tuple[tuple[str, ...], SearchStrategy[str]]]] = {
    "object": (("{}", '{"a": 1}', '{"a": {"b": null}}', '{"": []}'), OBJECTS),
    "array": (("[]", "[1]", "[null]", "[[]]", "[1, 2, 3]"), ARRAYS),
    "string": (('""', '"a"', f'"{BEYOND_BMP}"'), _WORDS.map(_dump)),
    "number": (("0", "1", "-1", "0.1", "1e400"), st.integers(-(2**70), 2**70).map(str)),
    "boolean": (("false", "true"), st.sampled_from(["false", "true"])),
    "null": (("null",), st.just("null")),
}


def read_json(literal: str) -> Any:
    """Read a document into dicts, lists, texts, Decimals and booleans. Raises ValueError."""
    found = json.loads(literal, parse_float=Decimal, parse_int=Decimal)
    return JsonNull() if found is None else found


def document(name: str) -> Space:
    """``json`` and ``jsonb``."""
    deep = "[" * _DEPTH + "]" * _DEPTH
    extra = ('{"a": 1, "a": 2}', " { } ") if name == "json" else ()
    refused = [
        Refused("", BAD_LITERAL, "an empty text is no document"),
        Refused("{", BAD_LITERAL, "not closed"),
        Refused("{'a': 1}", BAD_LITERAL, "keys stand in double quotes"),
        Refused("a", BAD_LITERAL, "a word is no document"),
        Refused('"\\ud800"', BAD_LITERAL, "half a surrogate pair") if name == "jsonb" else None,
        Refused('"\\u0000"', "22P05", "NUL cannot be stored") if name == "jsonb" else None,
    ]
    boundaries = [b for kind, _ in JSON_KINDS.values() for b in kind]
    return Space(
        type=name,
        simplest="{}",
        boundaries=tuple(dict.fromkeys((*boundaries, deep, *extra))),
        strategy=_shaped((*_OBJECT_SHAPES, *_ARRAY_SHAPES, "{0}", "{1}")),
        fresh=lambda n: _dump({"a": n}) if n else "{}",
        refused=tuple(r for r in refused if r is not None),
        read=read_json,
    )


def xml(name: str) -> Space:
    """``xml`` content: what stands in an element. Which checks are made depends on how the server was built."""
    safe = st.text("abcdefghijklmnopqrstuvwxyz ", max_size=20)
    return Space(
        type=name,
        simplest="<a/>",
        boundaries=("<a/>", "<a>1</a>", "a", f"<a>{BEYOND_BMP}</a>", '<a b="1"/>', "<a><b/></a>", "<!-- a -->"),
        strategy=safe.map(lambda s: f"<a>{s}</a>"),
        fresh=lambda n: f"<a>{n}</a>" if n else "<a/>",
        refused=(
            Refused("<a", "2200N", "not closed"),
            Refused("<a></b>", "2200N", "closed by another name"),
        ),
    )


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def tsvector(name: str) -> Space:
    """Lexemes with positions and weights."""
    lexemes = st.lists(st.text("abcdefgh", min_size=1, max_size=6), max_size=5)
    return Space(
        type=name,
        simplest="'a'",
        boundaries=("'a'", "", "'a':1A", "'a' 'b'", "'it''s'", "'a':1,16383", f"'{BEYOND_BMP}'"),
        strategy=lexemes.map(lambda ls: " ".join(map(_quoted, ls))),
        fresh=_each(_quoted),
        refused=(
            Refused("'a", SYNTAX, "not closed"),
            Refused("a:-", SYNTAX, "no position"),
            Refused(_quoted("a" * 2047), "54000", "a lexeme of 2047 bytes"),
        ),
    )


def tsquery(name: str) -> Space:
    """Lexemes joined by operators."""
    lexemes = st.lists(st.text("abcdefgh", min_size=1, max_size=6), min_size=1, max_size=4)
    joined = st.tuples(lexemes, st.sampled_from([" & ", " | ", " <-> "]))
    return Space(
        type=name,
        simplest="'a'",
        boundaries=("'a'", "", "'a' & 'b'", "'a' | !'b'", "'a' <-> 'b'", "'a':*"),
        strategy=joined.map(lambda t: t[1].join(map(_quoted, t[0]))),
        fresh=_each(_quoted),
        refused=(Refused("a &", SYNTAX, "an operand is missing"), Refused("a b", SYNTAX, "an operator is missing")),
    )


def hstore(name: str) -> Space:
    """Keys and values in double quotes; a value may be NULL."""
    pairs = st.dictionaries(_KEYS, st.none() | st.text("abcdefgh '", max_size=5), max_size=3)

    def show(found: dict[str, str | None]) -> str:
        return ", ".join(f'"{k}"=>' + ("NULL" if v is None else f'"{v}"') for k, v in found.items())

    return Space(
        type=name,
        simplest='"a"=>"1"',
        boundaries=('"a"=>"1"', "", '"a"=>NULL', '""=>""', f'"{BEYOND_BMP}"=>"b"'),
        strategy=pairs.map(show),
        fresh=lambda n: f'"a"=>"{n + 1}"',
        # 15 reports what it cannot read as an internal error
        refused=(Refused(b"\xff", NOT_UTF8, "a byte that UTF-8 never has"),),
    )


def ltree(name: str) -> Space:
    """Labels joined by dots."""
    labels = st.lists(st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=8), max_size=5)
    return Space(
        type=name,
        simplest="a",
        boundaries=("a", "", "a.b", "A_1", ".".join("a" * 100), "a" * 255),
        strategy=labels.map(".".join),
        fresh=word,
        refused=(
            Refused("a..b", SYNTAX, "an empty label"),
            Refused("a b", SYNTAX, "a space in a label"),
        ),
    )


def jsonpath(name: str) -> Space:
    """A path into a document."""
    keys = st.lists(st.text("abcdefgh", min_size=1, max_size=4), max_size=3)
    return Space(
        type=name,
        simplest="$",
        boundaries=("$", "$.a", "$[*]", "$.a[0].b ? (@ > 1)", "strict $.a"),
        strategy=keys.map(lambda ks: ".".join(["$", *(f'"{k}"' for k in ks)])),
        fresh=lambda n: f"$[{n}]",
        refused=(Refused("", BAD_LITERAL, "an empty text is no path"), Refused("$.", SYNTAX, "no key")),
    )


def _each(show: Callable[[str], str]) -> Callable[[int], str | None]:
    def fresh(n: int) -> str | None:
        found = word(n)
        return None if found is None else show(found)

    return fresh
