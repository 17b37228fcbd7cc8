"""Views and materialised views changed by one small thing: their definition, their options, a column's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from pgcontract.model import Catalog, Name, View
from pgcontract.promises.mutants.base import Mutant, listed, quoted
from pgcontract.promises.mutants.constraints import create_index, drop_index
from pgcontract.promises.mutants.definitions import definitions, free
from pgcontract.rows.statements import Statement, identifier, quote

TRUE: Final = ("true", "on", "yes", "1")
OLD: Final = "pgcontract replaced"
"""What a materialised view is called while another takes its place."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a view.

    ``hides``: whether it has rows that are written through it, and that it does not show; None where nothing is written
    through it. ``reads``: whether it reads anything. ``differ``: whether LOCAL and CASCADED ask for other conditions.
    """

    hides: bool | None
    reads: bool
    differ: bool


def view_mutants(view: View, catalog: Catalog, known: Judged) -> Iterator[Mutant]:
    """A view gone, of another definition, with other options, or with a column of another name."""
    word, name = _word(view), identifier(view.name).as_string()
    yield Mutant("drop_view", "", (Statement(f"DROP {word} {name}"),))
    for column in view.columns:
        renamed = Statement(
            f"ALTER {word} {name} RENAME COLUMN {quoted(column.name)} TO {quoted(column.name + '_mutant')}"
        )
        yield Mutant("rename_column", column.name, (renamed,))
    for what, definition, same in definitions(view, catalog):
        yield Mutant("change_view", what, redefined(view, definition), equivalent=same)
    if view.materialized:
        return
    on = is_on(view, "security_invoker")
    toggled = Statement(f"ALTER VIEW {name} SET (security_invoker = {'false' if on else 'true'})")
    same = None if known.reads else "the view reads nothing that could be refused to anybody"
    yield Mutant("toggle_security_invoker", "off" if on else "on", (toggled,), equivalent=same)
    if is_on(view, "security_barrier"):
        # a barrier that comes changes no row: without one a plan may do as if there were one
        off = Statement(f"ALTER VIEW {name} SET (security_barrier = false)")
        yield Mutant("drop_security_barrier", "", (off,), equivalent=_not_seen(view, catalog, known))
    yield from _check_option_mutants(view, known)


def _check_option_mutants(view: View, known: Judged) -> Iterator[Mutant]:
    name = identifier(view.name).as_string()
    if view.check_option is None:
        if known.hides:
            yield Mutant("add_check_option", "", (Statement(f"ALTER VIEW {name} SET (check_option = cascaded)"),))
        return
    yield Mutant("drop_check_option", "", (Statement(f"ALTER VIEW {name} RESET (check_option)"),))
    other = "local" if view.check_option == "CASCADED" else "cascaded"
    same = None if known.differ else "LOCAL and CASCADED ask for the same conditions"
    change = Statement(f"ALTER VIEW {name} SET (check_option = {other})")
    yield Mutant("change_check_option", other, (change,), equivalent=same)


def _not_seen(view: View, catalog: Catalog, known: Judged) -> str | None:
    """Why nobody can tell whether there is a barrier."""
    if known.hides is False:
        return "the view hides no row that a function could see"
    if free(view, catalog):
        return "a NULL test costs nothing: a plan asks it before any function"
    return None


def redefined(view: View, definition: str) -> tuple[Statement, ...]:
    """The view with another definition; a materialised one is made anew, with its indexes and privileges."""
    name, names = identifier(view.name).as_string(), listed(c.name for c in view.columns) if view.columns else ""
    options = f" WITH ({', '.join(_option(o) for o in view.options)})" if view.options else ""
    if not view.materialized:
        check = f" WITH {view.check_option} CHECK OPTION" if view.check_option else ""
        return (Statement(f"CREATE OR REPLACE VIEW {name} {names}{options} AS {definition}{check}"),)
    old = Name(view.name.namespace, OLD)
    return (
        *(drop_index(view.name, index.name) for index in view.indexes),
        Statement(f"ALTER MATERIALIZED VIEW {name} RENAME TO {quoted(OLD)}"),
        Statement(f"CREATE MATERIALIZED VIEW {name} {names}{options} AS {definition}"),
        *(create_index(view.name, index) for index in view.indexes),
        _privileges(old, view.name),
        Statement(f"DROP MATERIALIZED VIEW {identifier(old).as_string()}"),
    )


def _privileges(old: Name, new: Name) -> Statement:
    """The new relation has what the old one had, whatever default privileges gave it."""
    both = [quote(identifier(name).as_string()) for name in (old, new)]
    given = (
        "SELECT a.privilege_type, a.is_grantable,"
        " CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee"
        " FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.oid = {}::regclass AND a.grantee <> c.relowner"
    )
    body = (
        f"DECLARE one record; BEGIN FOR one IN {given.format(both[1])} LOOP"
        f" EXECUTE format('REVOKE %s ON %s FROM %s', one.privilege_type, {both[1]}, one.grantee); END LOOP;"
        f" FOR one IN {given.format(both[0])} LOOP"
        f" EXECUTE format('GRANT %s ON %s TO %s', one.privilege_type, {both[1]}, one.grantee)"
        " || CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END; END LOOP; END"
    )
    return Statement(f"DO {quote(body)}")


def _word(view: View) -> str:
    return "MATERIALIZED VIEW" if view.materialized else "VIEW"


def _option(option: str) -> str:
    name, _, value = option.partition("=")
    return f"{quoted(name)} = {sql.Literal(value).as_string()}"


def is_on(view: View, option: str) -> bool:
    """Whether a view has an option that is on or off."""
    return any(f"{option}={word}" in view.options for word in TRUE)
