"""Chance as SQL expressions: functions of the row's number and a seed, so that the same plan gives the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from math import log2
from typing import Final

NUMBER: Final = "n"
"""What expressions call the row's number: 1 for the first row that an empty table gets."""
POSITION: Final = "m"
"""The row's place among those that are made now, from 1."""
_BITS: Final = 2**53
_TIMES: Final = 16
"""A parent that is met seldom is met within such a part of all rows."""


@dataclass(frozen=True, slots=True)
class Dice:
    """Draws that belong to one column (or to whatever else ``name`` is); ``throw`` tells several draws apart."""

    seed: int
    name: str

    def bits(self, throw: int = 0) -> str:
        """Any bigint. The function is the one that hash partitions rely on: no major may change it."""
        salt = int.from_bytes(sha256(f"{self.seed}/{self.name}/{throw}".encode()).digest()[:8], signed=True)
        return f"pg_catalog.hashint8extended({NUMBER}, ({salt})::bigint)"

    def below(self, number: int | str, throw: int = 0) -> str:
        """One of 0 … number - 1, each as likely."""
        return f"(({self.bits(throw)} & 9223372036854775807) % {number})"

    def unit(self, throw: int = 0) -> str:
        """A float8 in [0, 1)."""
        return f"(({self.bits(throw)} & {_BITS - 1})::float8 / {_BITS}.0)"

    def often(self, chance: float, throw: int = 0) -> str:
        """A condition that is true with this chance."""
        return f"({self.below(1000, throw)} < {round(chance * 1000)})"

    def hexadecimal(self, throw: int = 0) -> str:
        """32 hexadecimal digits, different for each number."""
        text = f"{self.seed}/{self.name}/{throw}/".replace("'", "''")
        return f"pg_catalog.md5('{text}' || {NUMBER})"

    def rank(self, count: int, *, zipf: bool, rows: int = 0, throw: int = 0) -> str:
        """One of 1 … count; by Zipf's law the r-th is met 1/r as often as the first, octave by octave.

        Of the many that are met seldom, each has its time among the ``rows``, as a conversation has: what triggers
        derive for it is then written a few times, and not with every statement.
        """
        if not zipf or count < 3:
            return f"(1 + {self.below(max(count, 1), throw)})"
        octave = f"(1::bigint << floor({self.unit(throw)} * {log2(count + 1)!r})::integer)"
        when = f"({POSITION}::float8 / {max(rows, 1)} + {self.unit(throw + 100)} / {_TIMES})"
        size = f"LEAST({octave}, {count + 1} - {octave})"
        return f"LEAST({count}, {octave} + floor({size} * ({when} - floor({when})))::bigint)"
