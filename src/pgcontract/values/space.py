"""What is known of one type's values: the words that the type modules share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import total_ordering
from typing import Any, Final

from hypothesis.strategies import SearchStrategy

from pgcontract.errors import PgContractError


class UnknownType(PgContractError):
    """A type that no value can be made for; ``seen`` is its text."""

    def __init__(self, type_text: str) -> None:
        super().__init__(
            f"no value can be made for the type {type_text}",
            seen=type_text,
            remedy="give examples of it in [values] of system.toml, or leave the column's promises unproven",
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """An input that fails on INSERT with this SQLSTATE. Bytes are sent as they are: they are no UTF-8."""

    literal: str | bytes
    sqlstate: str
    why: str


@dataclass(frozen=True, slots=True)
class Line:
    """Ordered values as whole numbers of ticks: a numeric(10,2) has ticks of 1/100, a date of a day.

    ``unit`` is a tick's size in what ``Space.read`` returns. ``dense``: there are values between two ticks, too.
    ``specials`` are literals beside the line, such as infinity; ``read`` orders them. ``steps`` are round distances
    in ticks, the roundest first: a day, then a second.
    """

    low: int
    high: int
    unit: Fraction
    show: Callable[[int], str]
    origin: int = 0
    dense: bool = False
    specials: tuple[str, ...] = ()
    steps: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True)
class Space:
    """All values of one type, each as PostgreSQL's own text input.

    ``simplest`` is what a person would write first, ``boundaries`` are the extremes and ``fresh(n)`` the n-th of many
    that PostgreSQL tells apart; None when there are no more. ``strategy`` shrinks towards the simplest.
    ``read`` turns a literal into a Python value that compares as PostgreSQL compares (None where that is not known).
    ``line``, ``texts`` and ``elements`` say more of ordered values, of texts and of arrays; ``nullable`` is
    False for a domain that is NOT NULL.
    """

    type: str
    simplest: str
    boundaries: tuple[str, ...]
    strategy: SearchStrategy[str]
    fresh: Callable[[int], str | None]
    refused: tuple[Refused, ...] = ()
    drawn_refused: SearchStrategy[Refused] | None = None
    read: Callable[[str], Any] | None = None
    line: Line | None = None
    texts: Texts | None = None
    elements: Space | None = None
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Texts:
    """What holds for a type whose values are texts: ``limit`` in characters, None for none.

    ``cut``: what is longer is cut off, and no error.
    """

    limit: int | None = None
    padded: bool = False
    folded: bool = False
    cut: bool = False


@total_ordering
@dataclass(frozen=True, slots=True)
class Extreme:
    """-infinity (rank -1), infinity (1) or NaN (2), which PostgreSQL sorts last and finds equal to itself."""

    rank: int

    def __lt__(self, other: object) -> bool:
        return self.rank < (other.rank if isinstance(other, Extreme) else 0)

    def __gt__(self, other: object) -> bool:
        return self.rank > (other.rank if isinstance(other, Extreme) else 0)


BELOW: Final = Extreme(-1)
ABOVE: Final = Extreme(1)
NAN: Final = Extreme(2)


class Moment(int):
    """A date or a timestamp in microseconds since 2000-01-01 UTC, so that both compare; no number to calculate with."""

    __slots__ = ()


class Clock(int):
    """A time of day in microseconds."""

    __slots__ = ()


class Folded(str):
    """A citext: it compares without case."""

    __slots__ = ()


class Padded(str):
    """A character(n): spaces at its end do not count, save for patterns, which see all n characters."""

    __slots__ = ("width",)
    width: int

    @classmethod
    def of(cls, text: str, width: int) -> Padded:
        """Make one of what is stored."""
        value = cls(text.rstrip(" "))
        value.width = width
        return value

    @property
    def full(self) -> str:
        """All n characters."""
        return str(self).ljust(self.width)


class Label(int):
    """An enum's label by its place, which is its order."""

    text: str

    @classmethod
    def at(cls, place: int, text: str) -> Label:
        """Make the label at this place."""
        label = cls(place)
        label.text = text
        return label


@dataclass(frozen=True, slots=True)
class JsonNull:
    """The document ``null``, which is a value: SQL's NULL is none."""


def nth(values: tuple[str, ...]) -> Callable[[int], str | None]:
    """Return the ``fresh`` of a finite set."""
    return lambda n: values[n] if n < len(values) else None
