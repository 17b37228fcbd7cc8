"""Integers, numerics, floats, money and the object identifiers."""

from __future__ import annotations

import math
import struct
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final, Literal

from hypothesis import strategies as st

from pgcontract.values.space import ABOVE, BELOW, NAN, Line, Refused, Space, nth

OUT_OF_RANGE: Final = "22003"
BAD_LITERAL: Final = "22P02"
_INTEGERS: Final = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
_DIGITS: Final = 16383
"""Most digits after an unlimited numeric's point; before it there may be 131072."""
_SCALE: Final = 6
"""Ticks of an unlimited numeric: finer ones are boundaries, not drawn."""


def integer(name: str) -> Space:
    """``smallint``, ``integer``, ``bigint``."""
    low, high = _INTEGERS[name]
    beyond = st.integers(1, 2**70).flatmap(lambda d: st.sampled_from([str(high + d), str(low - d)]))
    return Space(
        type=name,
        simplest="0",
        boundaries=("0", "1", "-1", str(high), str(low)),
        strategy=st.integers(low, high).map(str),
        fresh=lambda n: str(n + 1) if n < high else str(high - n - 1 + 1) if high - n >= low else None,
        refused=(
            Refused(str(high + 1), OUT_OF_RANGE, "one more than the greatest"),
            Refused(str(low - 1), OUT_OF_RANGE, "one less than the least"),
            Refused("", BAD_LITERAL, "an empty text is no number"),
            Refused("1.5", BAD_LITERAL, "a fraction is no integer literal"),
            Refused("a", BAD_LITERAL, "a letter is no number"),
        ),
        drawn_refused=beyond.map(lambda s: Refused(s, OUT_OF_RANGE, "out of range")),
        read=int,
        line=Line(low, high, Fraction(1), str),
    )


def oid(name: str) -> Space:
    """``oid``, ``xid``, ``cid``: 32 bits without a sign."""
    high = 2**32 - 1
    return Space(
        type=name,
        simplest="0",
        boundaries=("0", "1", str(2**31), str(high)),
        strategy=st.integers(0, high).map(str),
        fresh=lambda n: str(n + 1) if n < high else None,
        refused=(Refused("a", BAD_LITERAL, "a letter is no number"),) if name == "oid" else (),
        read=int,
        line=Line(0, high, Fraction(1), str),
    )


def decimal_text(ticks: int, scale: int) -> str:
    """``ticks`` / 10^scale as a person writes it: no zeros at its end."""
    if scale <= 0:
        return str(ticks * 10**-scale)
    sign, digits = "-" * (ticks < 0), str(abs(ticks)).rjust(scale + 1, "0")
    return (sign + digits[:-scale] + "." + digits[-scale:]).rstrip("0").rstrip(".")


def read_number(literal: str) -> Any:
    """Read a numeric's or a float's literal. Raises ValueError."""
    special = {"nan": NAN, "infinity": ABOVE, "inf": ABOVE, "+infinity": ABOVE, "-infinity": BELOW, "-inf": BELOW}
    found = special.get(literal.strip().lower())
    if found is not None:
        return found
    try:
        number = Fraction(Decimal(literal.strip()))
    except InvalidOperation as error:
        raise ValueError(literal) from error
    return number


def rounded(value: Any, scale: int) -> Any:
    """Round half away from zero, as numeric(p,s) does on assignment."""
    if not isinstance(value, Fraction):
        return value
    ticks = math.floor(abs(value) * Fraction(10) ** scale + Fraction(1, 2))
    return Fraction(ticks if value >= 0 else -ticks) / Fraction(10) ** scale


def numeric(name: str, modifiers: tuple[int, ...]) -> Space:
    """``numeric``, ``numeric(p)``, ``numeric(p,s)``, where s may be negative or greater than p."""
    if not modifiers:
        return _unlimited(name)
    precision, scale = modifiers[0], modifiers[1] if len(modifiers) > 1 else 0
    most = 10**precision - 1

    def show(ticks: int) -> str:
        return decimal_text(ticks, scale)

    one = 10**scale if 0 <= scale < precision else 1
    # half a tick more is rounded to a number that has a digit too many; a little less is rounded down to the greatest
    beyond = decimal_text(most * 10 + 5, scale + 1)
    boundaries = dict.fromkeys(
        (
            "0",
            show(one),
            show(-one),
            show(1),
            show(-1),
            show(most),
            show(-most),
            decimal_text(most * 10 + 4, scale + 1),
            decimal_text(5, scale + 1),
            "NaN",
        )
    )
    too_big = st.integers(most + 1, (most + 1) * 1000).map(show)
    return Space(
        type=name,
        simplest="0",
        boundaries=tuple(boundaries),
        strategy=st.integers(-most, most).map(show),
        fresh=lambda n: _fresh_numeric(n, one, most, scale),
        refused=(
            Refused(show(most + 1), OUT_OF_RANGE, "a digit too many"),
            Refused(show(-most - 1), OUT_OF_RANGE, "a digit too many, negative"),
            Refused(beyond, OUT_OF_RANGE, "rounding makes a digit too many"),
            Refused("Infinity", OUT_OF_RANGE, "a precision leaves no room for infinity"),
            Refused("", BAD_LITERAL, "an empty text is no number"),
            Refused("a", BAD_LITERAL, "a letter is no number"),
        ),
        drawn_refused=too_big.map(lambda s: Refused(s, OUT_OF_RANGE, "too many digits")),
        read=lambda s: rounded(read_number(s), scale),
        line=Line(-most, most, Fraction(1) / Fraction(10) ** scale, show, specials=("NaN",), steps=(one, 1)),
    )


def _fresh_numeric(n: int, one: int, most: int, scale: int) -> str | None:
    whole = most // one
    if n < whole:
        return decimal_text((n + 1) * one, scale)
    # then what lies between the whole numbers
    rest = n - whole
    if one == 1:
        return decimal_text(-rest, scale) if rest <= most else None
    ticks = rest // (one - 1) * one + rest % (one - 1) + 1
    return decimal_text(ticks, scale) if ticks <= most else None


def _unlimited(name: str) -> Space:
    most = 10**30
    tiny = "0." + "0" * 30 + "1"
    drawn = st.one_of(
        st.integers(-(10**6), 10**6).map(str),
        st.integers(-(10**12), 10**12).map(lambda t: decimal_text(t, 4)),
        st.integers(-most, most).map(lambda t: decimal_text(t, 15)),
    )
    return Space(
        type=name,
        simplest="0",
        boundaries=(
            "0",
            "1",
            "-1",
            "0.1",
            tiny,
            "-" + tiny,
            "9" * 40,
            "1e131071",
            "-1e131071",
            "1e-16383",
            "NaN",
            "Infinity",
            "-Infinity",
        ),
        strategy=drawn,
        fresh=lambda n: str(n + 1),
        refused=(
            Refused("1e131072", OUT_OF_RANGE, "more than 131072 digits before the point"),
            Refused("", BAD_LITERAL, "an empty text is no number"),
            Refused("a", BAD_LITERAL, "a letter is no number"),
        ),
        read=read_number,
        line=Line(
            -most,
            most,
            Fraction(1, 10**_SCALE),
            lambda ticks: decimal_text(ticks, _SCALE),
            dense=True,
            specials=("NaN", "Infinity", "-Infinity"),
            steps=(10**_SCALE, 10 ** (_SCALE - 1), 1),
        ),
    )


def floating(name: str) -> Space:
    """``real`` and ``double precision``."""
    width: Literal[32, 64] = 32 if name == "real" else 64
    most, least, tiny, beyond, below = (
        ("3.4028235e+38", "1e-45", "1.1754944e-38", "1e39", "1e-60")
        if width == 32
        else ("1.7976931348623157e+308", "5e-324", "2.2250738585072014e-308", "1e309", "1e-400")
    )
    drawn = st.one_of(
        st.integers(-1000, 1000).map(str),
        st.floats(allow_nan=False, allow_infinity=False, width=width).map(repr),
    )
    return Space(
        type=name,
        simplest="0",
        boundaries=(
            "0",
            "1",
            "-1",
            "0.1",
            "-0",
            most,
            "-" + most,
            least,
            tiny,
            "NaN",
            "Infinity",
            "-Infinity",
        ),
        strategy=drawn,
        fresh=lambda n: str(n + 1) if n < 2**24 else _wide(n, width),
        refused=(
            Refused(beyond, OUT_OF_RANGE, "greater than the greatest"),
            Refused(below, OUT_OF_RANGE, "too small to be told from zero"),
            Refused("", BAD_LITERAL, "an empty text is no number"),
            Refused("a", BAD_LITERAL, "a letter is no number"),
        ),
        read=(lambda s: _single(read_number(s))) if width == 32 else (lambda s: _double(read_number(s))),
        line=Line(
            -(10**15),
            10**15,
            Fraction(1, 1000),
            lambda t: decimal_text(t, 3),
            dense=True,
            specials=("NaN", "Infinity", "-Infinity"),
            steps=(1000, 100, 1),
        ),
    )


def _wide(n: int, width: int) -> str | None:
    if width == 64:
        return str(n + 1) if n < 2**53 else None
    value: float = struct.unpack("!f", struct.pack("!I", n - 2**24 + 0x4B800001))[0]
    return None if math.isinf(value) or math.isnan(value) else repr(value)


def _double(value: Any) -> Any:
    return Fraction(float(value)) if isinstance(value, Fraction) else value


def _single(value: Any) -> Any:
    return Fraction(struct.unpack("!f", struct.pack("!f", float(value)))[0]) if isinstance(value, Fraction) else value


def money(name: str) -> Space:
    """Sixty-four bits of cents."""
    low, high = -(2**63), 2**63 - 1

    def show(cents: int) -> str:
        return decimal_text(cents, 2)

    return Space(
        type=name,
        simplest="0",
        boundaries=("0", "0.01", "-0.01", "1", show(high), show(low)),
        strategy=st.integers(low, high).map(show),
        fresh=lambda n: str(n + 1),
        refused=(
            Refused(show(high + 1), OUT_OF_RANGE, "one cent too much"),
            Refused("a", BAD_LITERAL, "a letter is no amount"),
        ),
        read=lambda s: rounded(read_number(s), 2),
        line=Line(low, high, Fraction(1, 100), show, steps=(100, 1)),
    )


def boolean(name: str) -> Space:
    """Two values."""
    return Space(
        type=name,
        simplest="false",
        boundaries=("false", "true"),
        strategy=st.sampled_from(["false", "true"]),
        fresh=nth(("false", "true")),
        refused=(
            Refused("2", BAD_LITERAL, "neither true nor false"),
            Refused("", BAD_LITERAL, "an empty text is neither"),
        ),
        read=lambda s: s.strip().lower() in {"t", "true", "y", "yes", "on", "1"},
    )
