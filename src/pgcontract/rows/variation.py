"""What may be different about a plan when a world was refused as it was."""

from __future__ import annotations

from dataclasses import dataclass

from pgcontract.model import Name
from pgcontract.rows.statements import Row

Kept = tuple[Row, ...]
"""Rows that migrations seeded, used as they are."""


@dataclass(frozen=True, slots=True)
class Variation:
    """``offset`` moves all key values. Rows of ``emptied`` tables are taken away first: their keys are all in use.

    Those of ``cleared`` ones are taken away when their parents are there, whose triggers have made them already.
    In a cycle of tables that does not hold the row under test, this one's parents are second rows that the cycle does
    not need; with ``second``, in one that does, and not in others. ``loose``: it refers to nobody yet, which a deferred
    foreign key allows until the end. ``quiet``: triggers that people made are off; ``hushed``: they are while the rows
    around the one under test are inserted.
    Twins of ``plain`` tables do not differ in more than they must, rows of ``filled`` ones have a value in each column
    that may: a trigger refused them as they were.
    Rows of ``unmade`` tables are not inserted: a child's trigger makes them. Those of ``kept`` ones are there already.
    ``tied``: nullable foreign keys, by table and name, of which a CHECK wants one to be there; of
    ``offered`` ones it may want some. Keys of ``apart`` tables are not like those of others.
    ``parted`` are partitioned tables without a partition, into which triggers write; ``lame`` triggers, by table and
    name, are off: they ask for what is not there, or leave no row as it may be, each in the words of the server.
    """

    offset: int = 0
    emptied: frozenset[Name] = frozenset()
    second: bool = False
    loose: bool = False
    quiet: bool = False
    hushed: bool = False
    tied: frozenset[tuple[Name, str]] = frozenset()
    offered: frozenset[tuple[Name, str]] = frozenset()
    cleared: frozenset[Name] = frozenset()
    unmade: frozenset[Name] = frozenset()
    plain: frozenset[Name] = frozenset()
    filled: frozenset[Name] = frozenset()
    apart: frozenset[Name] = frozenset()
    kept: tuple[tuple[Name, Kept], ...] = ()
    parted: frozenset[Name] = frozenset()
    lame: tuple[tuple[Name, str, str], ...] = ()
