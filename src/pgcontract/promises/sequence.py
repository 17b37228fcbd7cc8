"""Sequences: they start where promised, step as promised, and end, or begin anew, at their bounds.

``nextval`` is not undone by a rollback; after a RESTART in the same transaction it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from pgcontract.contract import sequence_id
from pgcontract.model import Catalog, Name, Sequence
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.facts import Fact, asked, yes
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.sequences import sequence_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, identifier
from pgcontract.rows.worlds import Worlds

LIMIT_EXCEEDED = "2200H"
OUT_OF_RANGE = "22003"
SMALLEST, GREATEST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Numbers:
    """A sequence."""

    sequence: Sequence

    kind = "sequence"
    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def table(self) -> Name:
        """The sequence's own name."""
        return self.sequence.name

    @property
    def id(self) -> str:
        """``users_id_seq``."""
        return sequence_id(self.sequence.name)

    @property
    def clause(self) -> str:
        """``SEQUENCE AS bigint START 1 INCREMENT 1 …``."""
        one = self.sequence
        words = f"SEQUENCE AS {one.type} START {one.start} INCREMENT {one.increment}"
        return f"{words} MINVALUE {one.min_value} MAXVALUE {one.max_value}" + (" CYCLE" if one.cycle else "")

    def accepts(self, worlds: Worlds) -> Cases:
        """The first two values, the last one, what comes after it in a cycle, both bounds; what a session takes."""
        del worlds
        one = self.sequence
        last, other = self._ends()
        always = [self._facts(), Change((self._restart(), self._next(one.start)))]
        if one.min_value <= one.start + one.increment <= one.max_value:
            always.append(Change((self._restart(), self._next(one.start), self._next(one.start + one.increment))))
        if one.min_value <= last - one.increment <= one.max_value:
            always.append(Change((self._restart(), self._set(last - one.increment), self._next(last))))
        always += [Change((self._restart(), self._set(bound))) for bound in (one.min_value, one.max_value)]
        if one.cycle:
            always.append(Change((self._restart(), self._set(last), self._next(other))))
        always.append(Change((self._restart(), self._next(one.start), self._reserved())))
        if one.owned_by is not None:
            always.append(self._goes(one.owned_by[0], one.owned_by[1]))
        return Cases(tuple(always))

    def rejects(self, worlds: Worlds) -> Cases:
        """A step beyond the last value, where there is no cycle; values beyond the bounds."""
        del worlds
        one = self.sequence
        last, _ = self._ends()
        always = []
        if not one.cycle:
            act = (self._restart(), self._set(last), Statement(f"SELECT pg_catalog.nextval({self._name})"))
            always.append(Violation(act, sqlstates=frozenset([LIMIT_EXCEEDED])))
        beyond = [n for n in (one.min_value - 1, one.max_value + 1) if SMALLEST <= n <= GREATEST]
        states = frozenset([OUT_OF_RANGE])
        always += [Violation((self._restart(), self._set(n)), sqlstates=states) for n in beyond]
        missing = None if always else "a cycle over all numbers of its type refuses nothing"
        return Cases(tuple(always), missing=missing)

    @property
    def _name(self) -> str:
        return sql.Literal(identifier(self.sequence.name).as_string()).as_string() + "::regclass"

    def _ends(self) -> tuple[int, int]:
        """The last value, and where a cycle begins anew."""
        one = self.sequence
        return (one.max_value, one.min_value) if one.increment > 0 else (one.min_value, one.max_value)

    def _restart(self) -> Statement:
        return Statement(f"ALTER SEQUENCE {identifier(self.sequence.name).as_string()} RESTART")

    def _set(self, value: int) -> Statement:
        return Statement(f"SELECT pg_catalog.setval({self._name}, $1) = $1 AS is_set", (str(value),))

    def _next(self, value: int) -> Statement:
        return Statement(f"SELECT pg_catalog.nextval({self._name}) = $1 AS is_next", (str(value),))

    def _reserved(self) -> Statement:
        """How far the sequence has gone, when a session has taken as many numbers as it keeps."""
        one = self.sequence
        last, _ = self._ends()
        taken = min(one.cache, abs(last - one.start) // abs(one.increment) + 1)
        name = identifier(one.name).as_string()
        wanted = str(one.start + (taken - 1) * one.increment)
        return Statement(f"SELECT last_value = $1 AS is_as_far_as_its_cache FROM {name}", (wanted,))

    def _goes(self, table: Name, column: str) -> Change:
        """It goes with the column that owns it."""
        gone = f"ALTER TABLE {identifier(table).as_string()} DROP COLUMN {sql.Identifier(column).as_string()} CASCADE"
        name = sql.Literal(identifier(self.sequence.name).as_string()).as_string()
        asked = Statement(f"SELECT to_regclass({name}) IS NULL AS is_gone")
        return Change((asked,), (Statement(gone),), wanted=f"gone with {table}.{column}")

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No sequence, or one with another start, step, bound, end or owner."""
        del catalog
        return sequence_mutants(self.sequence)

    def _facts(self) -> Change:
        one = self.sequence
        owner = (
            "SELECT d.refobjid::regclass::text || '.' || a.attname FROM pg_catalog.pg_depend AS d"
            " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
            " WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.seqrelid AND d.objsubid = 0"
            " AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')"
        )
        facts: dict[str, Fact] = {
            "type": ("pg_catalog.format_type(s.seqtypid, NULL)", one.type),
            "starts": ("s.seqstart", str(one.start)),
            "increments": ("s.seqincrement", str(one.increment)),
            "min_value": ("s.seqmin", str(one.min_value)),
            "max_value": ("s.seqmax", str(one.max_value)),
            "cache": ("s.seqcache", str(one.cache)),
            "cycle": ("s.seqcycle", yes(one.cycle)),
        }
        if one.owned_by is None:
            facts["owned_by"] = (f"({owner}) IS NULL", yes(True))
        else:
            table, column = (sql.Literal(t).as_string() for t in (self._owner(one.owned_by[0]), one.owned_by[1]))
            facts["owned_by"] = (f"({owner}) = {table}::regclass::text || '.' || {column}", yes(True))
        return asked("pg_catalog.pg_sequence AS s", "s.seqrelid = $1::regclass", (self._quoted(),), facts)

    @staticmethod
    def _owner(table: Name) -> str:
        return identifier(table).as_string()

    def _quoted(self) -> str:
        return identifier(self.sequence.name).as_string()

    def owns(self, refusal: Refusal) -> bool:
        """A sequence's own errors."""
        return refusal.sqlstate in (LIMIT_EXCEEDED, OUT_OF_RANGE)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has the sequence."""
        return any(s.name == self.sequence.name for s in worlds.catalog.sequences)


def promises(catalog: Catalog) -> Iterator[Numbers]:
    """Every sequence, those of identities and serial columns, too."""
    return map(Numbers, catalog.sequences)
