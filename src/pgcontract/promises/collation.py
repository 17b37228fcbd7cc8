"""Collations: texts are equal, and stand in the order, as by the frozen one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from psycopg import sql

from pgcontract.contract import clauses, collation_id
from pgcontract.model import Catalog, Collation, Name
from pgcontract.promises.base import Cases, Change, Direction
from pgcontract.promises.facts import asked, yes
from pgcontract.promises.mutants import Mutant
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, identifier, quote
from pgcontract.rows.worlds import Worlds

PROVIDERS = {"libc": "c", "icu": "i", "builtin": "b"}
TEXTS = ("a", "A", "á", "ab", "a b", "a-b", "B", "b", "ß", "ss", "Z", "é", "e", "E", "", " ", "1", "10", "2", "ö", "Ω")
COPY = Name("pg_temp", "pgcontract_copy")


@dataclass(frozen=True, slots=True)
class Collated:
    """A collation."""

    collation: Collation

    kind = "collation"
    directions = (Direction.ACCEPTS,)

    @property
    def table(self) -> Name:
        """Its own name."""
        return self.collation.name

    @property
    def id(self) -> str:
        """``collation caseless``."""
        return collation_id(self.collation.name)

    @property
    def clause(self) -> str:
        """``COLLATION (provider = icu, …)``."""
        return clauses.collation(self.collation)

    def accepts(self, worlds: Worlds) -> Cases:
        """It is as it was made; and one that is made like the frozen one sorts and compares the same texts alike."""
        del worlds
        one = self.collation
        source = "pg_catalog.pg_collation AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.collnamespace"
        facts = {
            "same_provider": ("c.collprovider", PROVIDERS[one.provider]),
            "same_determinism": ("c.collisdeterministic", yes(one.deterministic)),
        }
        there = asked(source, "n.nspname = $1 AND c.collname = $2", (one.name.namespace, one.name.name), facts)
        like = Change(
            (_sorted(one.name), _equal(one.name)),
            (created(replace(one, name=COPY)),),
            reference=(_sorted(COPY), _equal(COPY)),
            wanted="texts are equal as by the frozen collation",
        )
        ordered = replace(like, act=(_sorted(one.name),), reference=(_sorted(COPY),), wanted="texts in the same order")
        return Cases((there, like, ordered))

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """It is gone, or tells texts apart otherwise; where something uses it, it cannot be changed."""
        del catalog
        gone = Statement(f"DROP COLLATION {identifier(self.collation.name).as_string()}")
        yield Mutant("drop_collation", "", (gone,))
        if self.collation.provider == "icu":
            other = replace(self.collation, deterministic=not self.collation.deterministic)
            yield Mutant("change_deterministic", "", (gone, created(other)))

    def owns(self, refusal: Refusal) -> bool:
        """Nothing refuses a comparison."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has a collation of this name."""
        return any(one.name == self.collation.name for one in worlds.catalog.collations)


def created(one: Collation) -> Statement:
    """CREATE COLLATION."""
    if one.provider == "libc":
        options = {"lc_collate": quote(one.locale), "lc_ctype": quote(one.ctype or one.locale)}
    else:
        options = {"locale": quote(one.locale)}
    options = {"provider": one.provider, **options, "deterministic": yes(one.deterministic)}
    if one.rules is not None:
        options["rules"] = quote(one.rules)
    listed = ", ".join(f"{name} = {value}" for name, value in options.items())
    return Statement(f"CREATE COLLATION {identifier(one.name).as_string()} ({listed})")


def _texts() -> str:
    return f"unnest(ARRAY[{', '.join(map(quote, TEXTS))}]::text[])"


def _sorted(name: Name) -> Statement:
    collate = sql.SQL("COLLATE {}").format(identifier(name)).as_string()
    return Statement(f"SELECT string_agg(x, '|' ORDER BY x {collate}, x COLLATE \"C\") FROM {_texts()} AS t (x)")


def _equal(name: Name) -> Statement:
    collate = sql.SQL("COLLATE {}").format(identifier(name)).as_string()
    pairs = f"{_texts()} AS t (x), {_texts()} AS u (y)"
    return Statement(
        f"SELECT string_agg(x || '=' || y, '|' ORDER BY x COLLATE \"C\", y COLLATE \"C\") FROM {pairs}"
        f" WHERE x = y {collate}"
    )


def promises(catalog: Catalog) -> Iterator[Collated]:
    """Every collation that is no extension's."""
    return map(Collated, catalog.collations)
