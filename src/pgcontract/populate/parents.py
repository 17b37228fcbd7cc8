"""How rows come to have parents: numbered keys to pick from, and foreign keys that must agree on columns they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from pgcontract.model import Catalog, ForeignKey, Table
from pgcontract.populate.amounts import PopulateError, unique_keys
from pgcontract.populate.dice import POSITION, Dice
from pgcontract.rows.statements import identifier
from pgcontract.rows.terrain import required

OPTIONAL = 0.85
"""How often a row has a parent that it need not have."""
UNDECIDED = 0.5
"""The same where a CHECK asks that, of several, some have one."""


@dataclass
class Parents:
    """What an INSERT needs for its foreign keys: ``picks`` are numbers by row, ``joins`` look them up."""

    columns: dict[str, str] = field(default_factory=dict)
    picks: dict[str, str] = field(default_factory=dict)
    even: dict[str, str] = field(default_factory=dict)
    """The same picks without skew: where the favourites have all that they can have, it is the others' turn."""
    joins: list[str] = field(default_factory=list)
    most: int | None = None
    """How many rows there can be, where each parent may be picked once."""
    single: set[frozenset[str]] = field(default_factory=set)
    """Keys of which no two rows have the same values, since no two have the same parent."""


@dataclass
class Keys:
    """Makes temporary tables of numbered keys in one transaction."""

    connection: psycopg.Connection[Any]
    catalog: Catalog
    rows: int = 0
    """How many are to be made."""
    made: int = 0

    def parents(
        self, table: Table, foreign_keys: Sequence[ForeignKey], seed: int, *, zipf: bool, filtered: set[str]
    ) -> Parents:
        """Bind the foreign keys' columns. ``filtered`` are columns that a CHECK speaks of together with others.

        Raises PopulateError where a parent that every row must have is not there.
        """
        found = Parents()
        rest = sorted(foreign_keys, key=lambda fk: (-len(fk.columns), -self._count(fk), fk.name))
        while rest:
            first = rest.pop(0)
            self._first(found, table, first, Dice(seed, f"{table.name}.{first.name}"), zipf=zipf, filtered=filtered)
            # those that share a column with what is bound come next
            while (near := next((fk for fk in rest if set(fk.columns) & set(found.columns)), None)) is not None:
                rest.remove(near)
                self._next(found, table, near, Dice(seed, f"{table.name}.{near.name}"))
        return found

    def _count(self, fk: ForeignKey) -> int:
        row = self.connection.execute(
            f"SELECT count(*) FROM (SELECT FROM {identifier(fk.references).as_string()} LIMIT 10000000) AS counted"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _first(
        self, found: Parents, table: Table, fk: ForeignKey, dice: Dice, *, zipf: bool, filtered: set[str]
    ) -> None:
        once = [key for key in unique_keys(table, partial=False) if key <= set(fk.columns) and self._tells(fk, key)]
        name = self._named()
        unused = ""
        if once:
            taken = " AND ".join(f"child.{_q(c)} = parent.{_q(k)}" for c, k in zip(fk.columns, fk.keys, strict=True))
            unused = f" AND NOT EXISTS (SELECT FROM {identifier(table.name).as_string()} AS child WHERE {taken})"
        keys = [f"parent.{_q(k)}" for k in fk.keys]
        listed = ", ".join(f"{k} AS k{n}" for n, k in enumerate(keys, 1))
        present = " AND ".join(f"{k} IS NOT NULL" for k in keys)
        self.connection.execute(
            f"CREATE TEMP TABLE {name} ON COMMIT DROP AS"
            f" SELECT row_number() OVER (ORDER BY {', '.join(keys)}) AS i, {listed}"
            f" FROM {self._from(fk)} AS parent WHERE {present}{unused}"
        )
        self.connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (i)")
        self.connection.execute(f"ANALYZE {name}")
        count = self._rows(name)
        must = required(table, fk)
        if count == 0:
            if must and not once:
                raise PopulateError(
                    "Rows need parents, and there are none",
                    where=f"{table.name}.{fk.name}",
                    remedy=f"ask for rows of {fk.references}",
                )
            if must:
                found.most = 0
            found.columns |= dict.fromkeys(fk.columns, "NULL")
            return
        pick = f"p{self.made}"
        found.picks[pick] = POSITION if once else dice.rank(count, zipf=zipf, rows=self.rows)
        found.even[pick] = POSITION if once else dice.rank(count, zipf=False, throw=1)
        if once:
            found.most = min(count, found.most if found.most is not None else count) if must else found.most
            found.single |= set(once)
        elif not must:
            chance = UNDECIDED if filtered & set(fk.columns) else OPTIONAL
            for picks in (found.picks, found.even):
                picks[pick] = f"CASE WHEN {dice.often(chance, 9)} THEN {picks[pick]} END"
        found.joins.append(f"{'' if must else 'LEFT '}JOIN {name} ON {name}.i = given.{pick}")
        found.columns |= {c: f"{name}.k{n}" for n, c in enumerate(fk.columns, 1)}

    def _next(self, found: Parents, table: Table, fk: ForeignKey, dice: Dice) -> None:
        pairs = list(zip(fk.columns, fk.keys, strict=True))
        shared = [(c, k) for c, k in pairs if c in found.columns]
        free = [(c, k) for c, k in pairs if c not in found.columns]
        must = required(table, fk)
        if not free:
            if must:
                same = " AND ".join(f"beside.{_q(k)} = {found.columns[c]}" for c, k in shared)
                found.joins.append(
                    f"JOIN {self._from(fk)} AS beside{len(found.joins)} ON {same}".replace(
                        "beside.", f"beside{len(found.joins)}."
                    )
                )
            return
        members, groups = self._named(), self._named()
        listed = ", ".join(
            [
                *(f"parent.{_q(k)} AS s{n}" for n, (_, k) in enumerate(shared, 1)),
                *(f"parent.{_q(k)} AS k{n}" for n, (_, k) in enumerate(free, 1)),
            ]
        )
        order = ", ".join(f"parent.{_q(k)}" for _, k in (*shared, *free))
        present = " AND ".join(f"parent.{_q(k)} IS NOT NULL" for _, k in pairs)
        by = ", ".join(f"s{n}" for n in range(1, len(shared) + 1))
        self.connection.execute(
            f"CREATE TEMP TABLE {members} ON COMMIT DROP AS SELECT row_number() OVER (ORDER BY {order}) AS i, {listed}"
            f" FROM {self._from(fk)} AS parent WHERE {present}"
        )
        self.connection.execute(f"ALTER TABLE {members} ADD PRIMARY KEY (i)")
        self.connection.execute(
            f"CREATE TEMP TABLE {groups} ON COMMIT DROP AS"
            f" SELECT {by}, min(i) AS first, count(*) AS size FROM {members} GROUP BY {by}"
        )
        self.connection.execute(f"ALTER TABLE {groups} ADD PRIMARY KEY ({by})")
        self.connection.execute(f"ANALYZE {members}")
        self.connection.execute(f"ANALYZE {groups}")
        join = "JOIN" if must else "LEFT JOIN"
        same = " AND ".join(f"{groups}.s{n} = {found.columns[c]}" for n, (c, _) in enumerate(shared, 1))
        found.joins.append(f"{join} {groups} ON {same}")
        found.joins.append(f"{join} {members} ON {members}.i = {groups}.first + {dice.below(f'{groups}.size')}")
        found.columns |= {c: f"{members}.k{n}" for n, (c, _) in enumerate(free, 1)}

    def _tells(self, fk: ForeignKey, key: frozenset[str]) -> bool:
        """Whether two parents always differ in these columns."""
        parent = self.catalog.table(fk.references)
        mine = {k for c, k in zip(fk.columns, fk.keys, strict=True) if c in key}
        return parent is not None and any(unique <= mine for unique in unique_keys(parent, partial=False))

    def _from(self, fk: ForeignKey) -> str:
        parent = self.catalog.table(fk.references)
        only = "" if parent is None or parent.partition_key is not None else "ONLY "
        return only + identifier(fk.references).as_string()

    def drop(self) -> None:
        """Drop what was made."""
        for number in range(1, self.made + 1):
            self.connection.execute(f'DROP TABLE pg_temp."pgcontract keys {number}"')

    def _named(self) -> str:
        # found before any other table of that name, on whatever search path
        self.made += 1
        return f'"pgcontract keys {self.made}"'

    def _rows(self, name: str) -> int:
        row = self.connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        assert row is not None
        return int(row[0])


def _q(name: str) -> str:
    return sql.Identifier(name).as_string()


def all_columns(foreign_keys: Sequence[ForeignKey]) -> Iterator[str]:
    """The columns of these keys."""
    for fk in foreign_keys:
        yield from fk.columns
