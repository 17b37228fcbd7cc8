"""Questions to the catalog, each fact of a promise as one named boolean: what no row can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from psycopg import sql

from pgcontract.model import Name
from pgcontract.promises.base import Change
from pgcontract.rows.statements import Statement, Value

Fact = tuple[str, Value]
"""An SQL expression, and the text that it must have."""
QUALIFIED = Statement("SELECT pg_catalog.set_config('search_path', '', true)")
"""Frozen texts name everything outside ``pg_catalog`` with its schema; so must those that the server prints now."""


def yes(fact: bool) -> str:
    """A boolean as PostgreSQL casts it to text."""
    return "true" if fact else "false"


def listed(values: Iterable[str]) -> str:
    """A list of texts as the input of a text array."""
    return "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "}"


def asked(source: str, condition: str, keys: Sequence[Value], facts: Mapping[str, Fact]) -> Change:
    """A query for the one row of ``source`` that the condition (over ``keys`` as parameters) finds.

    Each fact is a column of it, named, and true where the expression's text is as promised. No such row, and the
    promise is broken.
    """
    shown, values = [], [*keys]
    for name, (expression, wanted) in facts.items():
        values.append(wanted)
        shown.append(f"({expression})::text IS NOT DISTINCT FROM ${len(values)}::text AS {_quoted(name)}")
    text = f"SELECT {', '.join(shown) or 'true AS is_there'} FROM {source} WHERE {condition}"
    wanted = f"one row, in which all is true: {', '.join(facts)}"
    return Change((Statement(text, tuple(values)),), (QUALIFIED,), wanted=wanted, recorded=True)


def exists(kind: str, name: Name, facts: Mapping[str, Fact]) -> Change:
    """The same for something that ``pg_class`` or ``pg_type`` lists: ``kind`` is that table, by its alias ``c``."""
    prefix = {"pg_class": "rel", "pg_type": "typ"}[kind]
    source = f"pg_catalog.{kind} AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.{prefix}namespace"
    return asked(source, f"n.nspname = $1 AND c.{prefix}name = $2", (name.namespace, name.name), facts)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()
