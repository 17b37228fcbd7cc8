"""Ranges and multiranges over any ordered type."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.values.space import Refused, Space

BAD_LITERAL: Final = "22P02"
ENDS_REVERSED: Final = "22000"

BUILT_IN: Final = {
    "int4range": "integer",
    "int8range": "bigint",
    "numrange": "numeric",
    "daterange": "date",
    "tsrange": "timestamp without time zone",
    "tstzrange": "timestamp with time zone",
}
_DISCRETE: Final = {"int4range", "int8range", "daterange"}
_NEAR: Final = 1000


def quoted(bound: str) -> str:
    """A bound or an element, in double quotes where its text would be read as structure."""
    plain = bound and not any(c in '[](){},"\\ \t\n\r\v\f' for c in bound) and bound.lower() != "null"
    return bound if plain else '"' + bound.replace("\\", "\\\\").replace('"', '\\"') + '"'


def range_of(name: str, bounds: Space) -> Space:
    """``[low,high)`` and its kin: either end may be open, or none."""
    first, second = _two(bounds)
    low, high = quoted(first), quoted(second)
    pairs = _pairs(bounds)
    shapes = st.sampled_from([("[", ")"), ("[", "]"), ("(", "]"), ("(", ")")])
    bounded = st.tuples(pairs, shapes).map(lambda t: f"{t[1][0]}{quoted(t[0][0])},{quoted(t[0][1])}{t[1][1]}")
    return Space(
        type=name,
        simplest=f"[{low},{high})",
        boundaries=(
            f"[{low},{high})",
            "empty",
            "(,)",
            f"[{low},)",
            f"(,{high}]",
            f"[{low},{low}]",
            f"({low},{low})",
        ),
        strategy=st.one_of(bounded, st.sampled_from(["empty", "(,)"])),
        fresh=lambda n: None if (low := bounds.fresh(n)) is None else f"[{quoted(low)},{quoted(low)}]",
        refused=(
            Refused(f"[{high},{low}]", ENDS_REVERSED, "the end is before the beginning"),
            Refused("[", BAD_LITERAL, "not closed"),
            Refused("", BAD_LITERAL, "an empty text is no range"),
        ),
    )


def _two(bounds: Space) -> tuple[str, str]:
    if bounds.line is not None:
        return bounds.line.show(bounds.line.origin), bounds.line.show(bounds.line.origin + 1)
    first, second = bounds.fresh(0), bounds.fresh(1)
    return first or bounds.simplest, second or first or bounds.simplest


def _pairs(bounds: Space) -> SearchStrategy[tuple[str, str]]:
    line = bounds.line
    if line is None:
        return st.just(_two(bounds))
    # not to the very ends: a closed end at the greatest value has no successor
    low, high = line.low + 2, line.high - 2
    starts = st.one_of(
        st.integers(max(low, line.origin - _NEAR), min(high - _NEAR, line.origin + _NEAR)),
        st.integers(low, high - _NEAR),
    )
    return st.tuples(starts, st.integers(0, _NEAR)).map(lambda t: (line.show(t[0]), line.show(t[0] + t[1])))


def multirange_of(name: str, ranges: Space) -> Space:
    """Ranges in braces: they are put in order and joined."""
    return Space(
        type=name,
        simplest="{" + ranges.simplest + "}",
        boundaries=("{" + ranges.simplest + "}", "{}", "{(,)}", "{empty}", "{" + ",".join(ranges.boundaries[:2]) + "}"),
        strategy=st.lists(ranges.strategy, max_size=3).map(lambda rs: "{" + ",".join(rs) + "}"),
        fresh=lambda n: None if (found := ranges.fresh(n)) is None else "{" + found + "}",
        refused=(
            Refused("{", BAD_LITERAL, "not closed"),
            Refused(ranges.simplest, BAD_LITERAL, "no braces"),
            *(Refused("{" + str(r.literal) + "}", r.sqlstate, r.why) for r in ranges.refused[:1]),
        ),
    )
