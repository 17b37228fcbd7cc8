"""Dates, times, timestamps and intervals. Sessions speak ISO and UTC."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from hypothesis import strategies as st

from pgcontract.values.space import ABOVE, BELOW, Clock, Line, Moment, Refused, Space

BAD_FORMAT: Final = "22007"
OUT_OF_RANGE: Final = "22008"
_EPOCH: Final = dt.date(2000, 1, 1).toordinal()
_DAY: Final = 86_400_000_000
_ERA: Final = 146_097
"""Days in 400 years, after which the calendar repeats itself."""
FIRST_DAY: Final = -2451545
"""4714-11-24 BC, the first day of the Julian calendar's count."""
LAST_DAY: Final = 2145031948
"""5874897-12-31."""
LAST_MICROSECOND: Final = 9_223_371_331_199_999_999
"""294276-12-31 23:59:59.999999."""
_CENTURY: Final = 36525


def day_text(day: int) -> str:
    """Write a day, counted from 2000-01-01, as PostgreSQL does in ISO style."""
    eras, rest = divmod(day + _EPOCH - 1, _ERA)
    found = dt.date.fromordinal(rest + 1)
    year = found.year + 400 * eras
    era = "" if year > 0 else " BC"
    return f"{year if year > 0 else 1 - year:04}-{found.month:02}-{found.day:02}{era}"


def moment_text(microseconds: int) -> str:
    """Write a timestamp in ISO style without a zone."""
    day, rest = divmod(microseconds, _DAY)
    written, _, era = day_text(day).partition(" ")
    return f"{written} {clock_text(rest)}" + (" BC" if era else "")


def clock_text(microseconds: int) -> str:
    """Write a time of day."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    written = f"{hour:02}:{minute:02}:{second:02}"
    return f"{written}.{fraction:06}".rstrip("0") if fraction else written


_MOMENT: Final = re.compile(
    r"(?P<y>\d{4,7})-(?P<m>\d\d?)-(?P<d>\d\d?)"
    r"(?:[ T](?P<c>\d\d?:\d\d(?::\d\d(?:\.\d+)?)?)\s?(?P<z>Z|UTC|[+-]\d\d(?::?\d\d)?(?::\d\d)?)?)?(?P<bc> BC)?"
)
_CLOCK: Final = re.compile(r"(\d\d?):(\d\d)(?::(\d\d)(\.\d+)?)?")


def read_clock(literal: str) -> Clock:
    """Read a time of day. Raises ValueError."""
    found = _CLOCK.fullmatch(literal.strip())
    if found is None:
        raise ValueError(literal)
    hour, minute, second, fraction = found.groups()
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    return Clock(seconds * 1_000_000 + _nearest(Fraction("0" + (fraction or ".0")) * 1_000_000))


def read_moment(literal: str) -> Any:
    """Read a date or a timestamp in ISO style: microseconds from 2000. Raises ValueError where it is none."""
    written = literal.strip()
    match written.lower():
        case "infinity" | "+infinity":
            return ABOVE
        case "-infinity":
            return BELOW
        case "epoch":
            return Moment(-10957 * _DAY)
    found = _MOMENT.fullmatch(written)
    if found is None:
        raise ValueError(literal)
    year = int(found["y"])
    eras, rest = divmod(1 - year if found["bc"] else year, 400)
    # year 400 stands for year 0: Python's calendar begins with 1
    shift, rest = (eras, rest) if rest else (eras - 1, 400)
    day = dt.date(rest, int(found["m"]), int(found["d"])).toordinal() - _EPOCH + shift * _ERA
    clock = int(read_clock(found["c"])) if found["c"] else 0
    return Moment(day * _DAY + clock - _zone(found["z"]))


def _zone(written: str | None) -> int:
    if not written or written in {"Z", "UTC"}:
        return 0
    digits = written[1:].replace(":", "").ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:6])
    return (-seconds if written[0] == "-" else seconds) * 1_000_000


def _nearest(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def _without_clock(value: Any) -> Any:
    return Moment(value - value % _DAY) if isinstance(value, Moment) else value


def _to_precision(unit: int) -> Callable[[Any], Any]:
    def cut(value: Any) -> Any:
        if not isinstance(value, int) or unit == 1:
            return value
        return type(value)(_nearest(Fraction(int(value), unit)) * unit)

    return cut


def date(name: str) -> Space:
    """Days from 4714-11-24 BC to 5874897-12-31, and both infinities."""
    near = st.integers(-_CENTURY, _CENTURY)
    drawn = st.one_of(near, st.integers(FIRST_DAY, LAST_DAY)).map(day_text)
    return Space(
        type=name,
        simplest="2000-01-01",
        boundaries=(
            "2000-01-01",
            "1970-01-01",
            "2000-02-29",
            "0001-01-01",
            "0001-12-31 BC",
            day_text(FIRST_DAY),
            day_text(LAST_DAY),
            "infinity",
            "-infinity",
        ),
        strategy=drawn,
        fresh=lambda n: day_text(n) if n <= LAST_DAY else None,
        refused=(
            Refused("2001-02-29", OUT_OF_RANGE, "no leap year"),
            Refused("2000-13-01", OUT_OF_RANGE, "no such month"),
            Refused("4714-11-23 BC", OUT_OF_RANGE, "before the first day"),
            Refused("5874898-01-01", OUT_OF_RANGE, "after the last day"),
            Refused("", BAD_FORMAT, "an empty text is no date"),
            Refused("a", BAD_FORMAT, "a letter is no date"),
        ),
        read=lambda s: _without_clock(read_moment(s)),
        line=Line(FIRST_DAY, LAST_DAY, Fraction(_DAY), day_text, specials=("-infinity", "infinity")),
    )


def timestamp(name: str, precision: int, *, zoned: bool) -> Space:
    """Microseconds from 4714-11-24 BC to 294276-12-31, rounded to the precision, and both infinities."""
    unit = 10 ** (6 - precision)
    low, high = FIRST_DAY * _DAY // unit, LAST_MICROSECOND // unit
    suffix = "+00" if zoned else ""

    def show(tick: int) -> str:
        written = moment_text(tick * unit)
        return written.removesuffix(" BC") + suffix + " BC" if written.endswith(" BC") else written + suffix

    per_day = _DAY // unit
    second = 1_000_000 // unit
    cut = _to_precision(unit)
    days = st.integers(-_CENTURY, _CENTURY).map(lambda d: show(d * per_day))
    drawn = st.one_of(
        days, st.integers(-_CENTURY * per_day, _CENTURY * per_day).map(show), st.integers(low, high).map(show)
    )
    return Space(
        type=name,
        simplest=show(0),
        boundaries=(
            show(0),
            show(-1),
            show(1),
            "1970-01-01 00:00:00" + suffix,
            "2000-02-29 23:59:59" + suffix,
            "1999-12-31 23:59:59.9999995" + suffix,
            "0001-12-31 23:59:59" + suffix + " BC",
            show(low),
            show(high),
            "infinity",
            "-infinity",
        ),
        strategy=drawn,
        fresh=lambda n: show(n * second) if n * second <= high else None,
        refused=(
            Refused("2001-02-29 00:00:00", OUT_OF_RANGE, "no leap year"),
            Refused("2000-01-01 25:00:00", OUT_OF_RANGE, "no such hour"),
            Refused("4714-11-23 23:59:59 BC" if not zoned else "4714-11-23 23:59:59+00 BC", OUT_OF_RANGE, "too early"),
            Refused("294277-01-01 00:00:00" + suffix, OUT_OF_RANGE, "too late"),
            Refused("", BAD_FORMAT, "an empty text is no time"),
            Refused("a", BAD_FORMAT, "a letter is no time"),
        ),
        read=lambda s: cut(read_moment(s)),
        line=Line(low, high, Fraction(unit), show, specials=("-infinity", "infinity"), steps=(per_day, second, 1)),
    )


def time(name: str, precision: int) -> Space:
    """Microseconds of a day, 24:00:00 included."""
    unit = 10 ** (6 - precision)
    high = _DAY // unit
    second = 1_000_000 // unit
    cut = _to_precision(unit)

    def show(tick: int) -> str:
        return clock_text(tick * unit)

    return Space(
        type=name,
        simplest="00:00:00",
        boundaries=("00:00:00", "12:00:00", show(1), show(high - 1), "24:00:00", "23:59:59.9999995"),
        strategy=st.one_of(st.integers(0, 86_400).map(lambda s: show(s * second)), st.integers(0, high).map(show)),
        fresh=lambda n: _fresh_clock(n, second, high, show),
        refused=(
            Refused("24:00:00.000001" if precision == 6 else "24:00:01", OUT_OF_RANGE, "after midnight"),
            Refused("25:00:00", OUT_OF_RANGE, "no such hour"),
            Refused("", BAD_FORMAT, "an empty text is no time"),
            Refused("a", BAD_FORMAT, "a letter is no time"),
        ),
        read=lambda s: cut(read_clock(s)),
        line=Line(0, high, Fraction(unit), show, steps=(3600 * second, second, 1)),
    )


def _fresh_clock(n: int, second: int, high: int, show: Callable[[int], str]) -> str | None:
    if n < 86_400:
        return show(n * second)
    if second == 1:
        return None
    rest = n - 86_400
    tick = rest // (second - 1) * second + rest % (second - 1) + 1
    return show(tick) if tick < high else None


def zoned_time(name: str, precision: int) -> Space:
    """A time of day with an offset of less than 16 hours."""
    plain = time(name, precision)
    return Space(
        type=name,
        simplest="00:00:00+00",
        boundaries=("00:00:00+00", "24:00:00+00", "00:00:00+15:59:59", "24:00:00-15:59:59", "12:00:00+05:30"),
        strategy=plain.strategy.map(lambda s: s + "+00"),
        fresh=lambda n: None if (found := plain.fresh(n)) is None else found + "+00",
        refused=(
            Refused("25:00:00+00", OUT_OF_RANGE, "no such hour"),
            Refused("00:00:00+16", "22009", "an offset of 16 hours"),
            Refused("a", BAD_FORMAT, "a letter is no time"),
        ),
    )


_FIELDS: Final = {
    "year": ("1 year", "year"),
    "month": ("1 mon", "month"),
    "day": ("1 day", "day"),
    "hour": ("01:00:00", "hour"),
    "minute": ("00:01:00", "minute"),
    "second": ("00:00:01", "second"),
}


def interval(name: str, precision: int, fields: str = "") -> Space:
    """Months, days and microseconds; ``fields`` (``day to second``, ``year`` …) is the least unit that is kept."""
    unit = 10 ** (6 - precision)
    last = fields.rpartition(" to ")[2] if fields else "second"
    one, word = _FIELDS[last.partition("(")[0].strip()]
    months = ("1 year", "1 mon", "-1 years", "178000000 years", "-178000000 years") if not fields else ("1 year",)
    whole = st.integers(-10_000, 10_000)
    drawn = (
        st.one_of(
            whole.map(lambda n: f"{n} seconds"),
            whole.map(lambda n: f"{n} days"),
            st.integers(-(10**12), 10**12).map(lambda n: _fraction(n * unit)),
        )
        if last.startswith("second")
        else whole.map(lambda n: f"{n} {word}s")
    )
    finest = ("00:00:00.000001", "-00:00:00.000001", "1 mon -1 days") if precision == 6 and not fields else ()
    return Space(
        type=name,
        simplest="00:00:00",
        boundaries=tuple(dict.fromkeys(("00:00:00", one, *months, *finest))),
        strategy=drawn,
        fresh=lambda n: f"{n} {word}s" if n < 2**31 // (12 if word == "year" else 1) else None,
        refused=(
            Refused("3000000000 days", "22015", "more days than there is room for"),
            Refused("a", BAD_FORMAT, "a letter is no interval"),
            Refused("", BAD_FORMAT, "an empty text is no interval"),
        ),
    )


def _fraction(microseconds: int) -> str:
    seconds, rest = divmod(abs(microseconds), 1_000_000)
    return f"{'-' * (microseconds < 0)}{seconds}.{rest:06} seconds"
