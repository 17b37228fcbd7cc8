"""The specification's tables beside those that are there: nothing that it asks for has been lost on the way.

``specified/social_selling.sql`` is its SQL as it stands there. It is applied to a database of its own, whose catalog
is compared with the frozen contract.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.contract import read
from pgcontract.model import Catalog, Check, Column, Name, Table
from pgcontract.server import Server, Template
from pgcontract.system import System
from tests.integration.fix_migrations import SOCIAL_SELLING

SPECIFIED = Path(__file__).parent / "specified" / "social_selling.sql"
TEXT = SPECIFIED.read_text(encoding="utf-8")
OURS = read(System.load(SOCIAL_SELLING).contract).catalog

# README says why, in its table of decisions
ADDED_COLUMNS = {"product_links.user_id"}
HELD_BY_A_KEY = {"oauth_tokens.platform"}  # to a column that has the list of values
LEFT_OUT_CHECKS = {"chk_oauth_platform": "oauth_tokens"}
LEFT_OUT_KEYS = {("oauth_tokens", ("user_id",))}
# index that is left out -> what serves in its place
LEFT_OUT_INDEXES = {
    "idx_client_accounts_user_id": "uq_client_accounts_user_id",
    "idx_products_user_id": "uq_products_user_id",
    "idx_products_is_available": "idx_products_user_available",
    "idx_product_links_product_id": "idx_product_links_product_clicks",
    "idx_conversations_client_account": "idx_conversations_platform",
    "idx_conversations_last_message": "idx_conversations_status",
    "idx_messages_conversation": "idx_messages_conversation_sent",
    "idx_message_products_message": "unique_message_product",
    "idx_analytics_user_id": "idx_analytics_user_date_category",
    "idx_analytics_category": "idx_analytics_user_date_category",
    "idx_instagram_media_timestamp": "idx_instagram_media_client_account",
    "idx_notifications_created_at": "idx_notifications_user_id",
}


def apply(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SPECIFIED.read_bytes())


@pytest.fixture(scope="module")
def specified(pgcontract_server: Server) -> Iterator[Catalog]:
    """The catalog of the specification's own SQL."""
    name = pgcontract_server.template(Template(f"specified\n{TEXT}", apply))
    with pgcontract_server.clone(name) as clone, psycopg.connect(clone.dsn) as connection:
        yield read_catalog(connection)


def asked_for(words: str) -> int:
    """How often the specification writes it: what is compared is all of it."""
    return len(re.findall(words, TEXT))


def table(catalog: Catalog, name: Name) -> Table:
    found = catalog.table(name)
    assert found is not None, name
    return found


def standard(kind: str) -> str:
    """The type that stands for one of the specification's."""
    return re.sub(r"character varying(\(\d+\))?", "text", kind).replace("without time zone", "with time zone")


def columns(catalog: Catalog) -> dict[str, Column]:
    return {f"{t.name}.{column.name}": column for t in catalog.tables for column in t.columns}


def test_every_specified_table_is_there_and_no_other(specified: Catalog) -> None:
    """Twelve, and the materialised view."""
    assert len(OURS.tables) == 12
    assert [t.name for t in OURS.tables] == [t.name for t in specified.tables]
    assert (
        [v.name for v in OURS.views] == [v.name for v in specified.views] == [Name("public", "analytics_daily_summary")]
    )


def test_every_specified_column_is_there(specified: Catalog) -> None:
    """TEXT for VARCHAR and TIMESTAMPTZ for TIMESTAMP, as the report's standards ask; all else of the same type."""
    ours, asked = columns(OURS), columns(specified)
    assert set(ours) - set(asked) == ADDED_COLUMNS
    assert {name: ours[name].type for name in asked} == {name: standard(c.type) for name, c in asked.items()}


def test_every_specified_not_null_stays_and_what_has_a_default_is_never_null(specified: Catalog) -> None:
    """A column that may be NULL here may be so in the specification, where it has no default."""
    ours, asked = columns(OURS), columns(specified)
    assert [name for name, c in asked.items() if (c.not_null or c.default) and not ours[name].not_null] == []
    assert [name for name, c in ours.items() if c.not_null and not (asked.get(name, c).not_null or c.default)] == []


def test_every_specified_default_stays(specified: Catalog) -> None:
    """The same value; a text's is cast to another type."""

    def value(default: str | None) -> str | None:
        return None if default is None else re.sub(r"::(text|character varying|jsonb|numeric)$", "", default)

    ours, asked = columns(OURS), columns(specified)
    assert {n: value(ours[n].default) for n in asked} == {n: value(c.default) for n, c in asked.items()}
    assert sum(c.default is not None for c in asked.values()) == asked_for(" DEFAULT ")


def test_every_specified_length_is_refused_one_character_later(
    specified: Catalog, social_selling: psycopg.Connection
) -> None:
    """By a CHECK of that column; where it is not a list or a form, the length itself is still allowed."""
    limits = [
        (t.name, column.name, int(found[1]))
        for t in specified.tables
        for column in t.columns
        if (found := re.fullmatch(r"character varying\((\d+)\)", column.type))
    ]
    assert len(limits) == asked_for(r" VARCHAR\(")
    for name, column, limit in limits:
        if f"{name}.{column}" in HELD_BY_A_KEY:
            continue
        checks = [check for check in table(OURS, name).checks if re.search(rf"\b{column}\b", check.expression)]
        alone = [check for check in checks if not others(table(OURS, name), column, check.expression)]
        assert refusing(social_selling, alone, column, limit + 1), f"{name}.{column} takes {limit + 1} characters"
        lengths = [check for check in alone if check.name.endswith("_length")]
        assert not refusing(social_selling, lengths, column, limit), f"{name}.{column} does not take {limit}"


def others(owner: Table, column: str, expression: str) -> bool:
    """Whether the expression speaks of other columns, too."""
    named = set(re.findall(r"\w+", re.sub("'[^']*'", "", expression)))
    return any(c.name in named for c in owner.columns if c.name != column)


def refusing(connection: psycopg.Connection, checks: Sequence[Check], column: str, length: int) -> list[str]:
    """The CHECKs that so many letters do not satisfy."""
    found = []
    for check in checks:
        row = connection.execute(
            f"SELECT {check.expression.replace('%', '%%')} FROM (SELECT repeat('x', %s) AS {column}) AS t".encode(),
            (length,),
        ).fetchone()
        if row == (False,):
            found.append(check.name)
    return found


def test_every_specified_list_of_values_stays(specified: Catalog) -> None:
    """Under its name, with the same values."""

    def lists(catalog: Catalog) -> dict[str, list[str]]:
        return {
            check.name: sorted(re.findall(r"'([^']+)'", check.expression)) for t in catalog.tables for check in t.checks
        }

    ours, asked = lists(OURS), lists(specified)
    assert len(asked) == asked_for(r" CHECK \(")
    for name, left_out_of in LEFT_OUT_CHECKS.items():
        del asked[name]
        assert not any(check.name == name for check in table(OURS, Name("public", left_out_of)).checks)
    assert {name: ours[name] for name in asked} == asked


def test_every_specified_foreign_key_stays_and_deletes_with_its_parent(specified: Catalog) -> None:
    """Some have become part of a composite one, which says more."""
    asked = {(t.name.name, key.columns, key.references) for t in specified.tables for key in t.foreign_keys}
    assert all(key.on_delete == "CASCADE" for t in specified.tables for key in t.foreign_keys)
    assert len(asked) == asked_for(" REFERENCES ")
    missing = {
        (name, names)
        for name, names, parent in asked
        if not any(
            set(names) <= set(key.columns) and key.references == parent and key.on_delete == "CASCADE"
            for key in table(OURS, Name("public", name)).foreign_keys
        )
    }
    assert missing == LEFT_OUT_KEYS


def test_every_specified_uniqueness_stays_except_that_of_deleted_users_addresses(specified: Catalog) -> None:
    """By one index each, where the specification has a constraint and an index for the same."""

    def uniques(catalog: Catalog) -> set[tuple[str, tuple[str, ...], str | None]]:
        keys = {(t.name.name, key.columns, None) for t in catalog.tables for key in t.keys}
        return keys | {
            (t.name.name, tuple(k.column or "" for k in index.keys), index.predicate)
            for t in catalog.tables
            for index in t.indexes
            if index.unique
        }

    assert uniques(specified) - uniques(OURS) == {("users", ("email",), None)}
    assert ("users", ("email",), "(deleted_at IS NULL)") in uniques(OURS)


def test_every_specified_index_is_there_or_another_one_serves(specified: Catalog) -> None:
    """Under its name and over its first column, or left out for one that README names beside it."""

    def indexes(catalog: Catalog) -> dict[str, str]:
        found = {index.name: index.keys[0].expression for t in catalog.tables for index in t.indexes}
        return found | {index.name: index.keys[0].expression for v in catalog.views for index in v.indexes}

    ours, asked = indexes(OURS), indexes(specified)
    serving = ours | {key.name: key.columns[0] for t in OURS.tables for key in t.keys}
    readme = (SOCIAL_SELLING / "README.md").read_text(encoding="utf-8")
    assert set(asked) - set(ours) == set(LEFT_OUT_INDEXES)
    assert [name for name in LEFT_OUT_INDEXES.values() if name not in serving] == []
    assert len(asked) == asked_for(r"CREATE (UNIQUE )?INDEX")
    assert [name for name in LEFT_OUT_INDEXES if name not in readme] == []


def test_the_specified_functions_and_triggers_are_there_under_their_names(specified: Catalog) -> None:
    """On their tables; what their bodies must do is another matter."""

    def triggers(catalog: Catalog) -> set[tuple[str, str, str]]:
        return {(t.name.name, trigger.name, trigger.function.name) for t in catalog.tables for trigger in t.triggers}

    assert {f.name for f in specified.functions} <= {f.name for f in OURS.functions}
    assert len(triggers(specified)) == asked_for("CREATE TRIGGER")
    assert triggers(specified) <= triggers(OURS)


def test_the_specified_summary_has_its_columns(specified: Catalog) -> None:
    """In their order, of the same types."""

    def shown(catalog: Catalog) -> list[tuple[str, str]]:
        return [(c.name, c.type) for view in catalog.views for c in view.columns]

    assert shown(OURS) == [(name, standard(kind)) for name, kind in shown(specified)]
