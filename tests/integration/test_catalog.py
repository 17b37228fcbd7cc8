"""Reading a live catalog: exact, without side effects, in any session and inside any transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from pgcontract.catalog import read_catalog
from pgcontract.catalog.reading import CONCEPTS, SETTINGS
from pgcontract.contract import Contract, drift, dumps, loads
from pgcontract.errors import CatalogError
from pgcontract.model import DefaultPrivilege, ForeignKey, Grant, Index, IndexKey, Key, Name, Trigger
from pgcontract.server import Server
from tests.integration.fix_server import TEST_MAJOR

Connection = psycopg.Connection[Any]


def current(connection: Connection) -> dict[str, str]:
    """The session's settings that reading changes for itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT s.name, current_setting(s.name) FROM unnest(%s::text[]) AS s (name)", [list(SETTINGS)])
        return dict(cursor.fetchall())


def test_an_idle_connection_is_idle_afterwards(zoo: Connection) -> None:
    """The transaction is the reader's own, and its settings end with it."""
    before = current(zoo)
    zoo.rollback()
    read_catalog(zoo)
    assert zoo.info.transaction_status is TransactionStatus.IDLE
    assert current(zoo) == before


@pytest.mark.parametrize("autocommit", [True, False])
def test_the_own_transaction_is_one_snapshot_and_read_only(
    zoo: Connection, monkeypatch: pytest.MonkeyPatch, autocommit: bool
) -> None:
    """Also where the connection commits by itself."""
    zoo.autocommit = autocommit
    seen = {}

    def rows(connection: Connection) -> dict[str, list[Any]]:
        for setting in ("transaction_isolation", "transaction_read_only", "search_path"):
            row = connection.execute(f"SHOW {setting}").fetchone()
            seen[setting] = row[0] if row else None
        return {concept: [] for concept in CONCEPTS}

    monkeypatch.setattr("pgcontract.catalog.reading._rows", rows)
    read_catalog(zoo)
    assert seen == {"transaction_isolation": "repeatable read", "transaction_read_only": "on", "search_path": ""}


def test_an_open_transaction_sees_its_own_changes_and_keeps_its_settings(zoo: Connection) -> None:
    """Mutants are read where they were made: before anything is committed, without a savepoint."""
    before = read_catalog(zoo)
    zoo.execute("SET LOCAL search_path TO audit, public")
    zoo.execute("SET LOCAL timezone TO 'Asia/Kathmandu'")
    zoo.execute("ALTER TABLE everything DROP CONSTRAINT status_in")
    settings_before = current(zoo)
    live = read_catalog(zoo)
    assert [d.promise_id for d in drift(before, live)] == ["everything.status_in"]
    assert current(zoo) == settings_before
    zoo.rollback()
    assert read_catalog(zoo) == before


def test_a_savepoint_takes_back_what_was_read_under_it(zoo: Connection) -> None:
    """A mutant that is rolled back leaves catalog and settings as they were."""
    before = read_catalog(zoo)
    settings_before = current(zoo)
    zoo.execute("SAVEPOINT mutant")
    zoo.execute("DROP TABLE seen")
    assert read_catalog(zoo) != before
    zoo.execute("ROLLBACK TO mutant")
    assert read_catalog(zoo) == before
    assert current(zoo) == settings_before


@pytest.mark.parametrize(
    "setting",
    [
        "search_path TO audit, public, pg_catalog",
        "datestyle TO 'SQL, DMY'",
        "intervalstyle TO 'iso_8601'",
        "timezone TO 'America/New_York'",
        "extra_float_digits TO -3",
        "bytea_output TO 'escape'",
        "quote_all_identifiers TO on",
        "standard_conforming_strings TO off",
        "client_encoding TO 'LATIN1'",
    ],
)
def test_the_session_does_not_show_in_the_contract(zoo: Connection, setting: str) -> None:
    """The same bytes, however the session is set."""
    before = dumps(Contract("zoo", read_catalog(zoo)))
    zoo.execute(sql.SQL("SET {}").format(sql.SQL(setting)))
    zoo.commit()
    assert dumps(Contract("zoo", read_catalog(zoo))) == before


def test_the_callers_row_factory_does_not_matter(zoo: Connection) -> None:
    """Neither does an open pipeline of the caller's."""
    before = read_catalog(zoo)
    zoo.row_factory = dict_row
    assert read_catalog(zoo) == before
    with zoo.pipeline():
        assert read_catalog(zoo) == before


def test_the_number_of_queries_does_not_grow_with_the_schema(
    zoo: Connection, empty: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set-based: one query a concept, none a table."""
    counts: list[int] = []
    original = psycopg.Cursor.execute

    def execute(self: Any, *arguments: Any, **named: Any) -> Any:
        counts[-1] += 1
        return original(self, *arguments, **named)

    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    for connection in (zoo, empty):
        counts.append(0)
        read_catalog(connection)
    assert counts[0] == counts[1]
    assert counts[0] <= len(CONCEPTS) + 2


def test_an_ignored_table_is_gone_with_all_that_belongs_to_it(empty: Connection) -> None:
    """Its sequences, indexes, triggers and grants, too; who refers to it still does."""
    before = read_catalog(empty)
    empty.execute(
        """
        CREATE TABLE migrations (id serial PRIMARY KEY, other bigint GENERATED ALWAYS AS IDENTITY, name text UNIQUE);
        CREATE INDEX ON migrations (name, id);
        GRANT SELECT ON migrations TO zoo_reader;
        GRANT UPDATE (name) ON migrations TO zoo_reader;
        GRANT USAGE ON SEQUENCE migrations_id_seq TO zoo_reader;
        """
    )
    assert read_catalog(empty, ignore=[Name("public", "migrations")]) == before
    assert read_catalog(empty, ignore=[Name("audit", "migrations")]) != before
    empty.execute("CREATE TABLE notes (migration integer REFERENCES migrations)")
    (notes,) = read_catalog(empty, ignore=[Name("public", "migrations")]).tables
    assert notes.foreign_keys == (
        ForeignKey("notes_migration_fkey", ("migration",), Name("public", "migrations"), ("id",)),
    )


def test_roles_of_a_run_stand_under_their_own_names(empty: Connection) -> None:
    """In grants, default privileges and policies."""
    empty.execute(
        """
        CREATE TABLE t (a integer);
        CREATE POLICY mine ON t TO zoo_writer, zoo_reader;
        GRANT SELECT (a), INSERT ON t TO zoo_writer WITH GRANT OPTION;
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO zoo_reader;
        """
    )
    catalog = read_catalog(empty, roles={"zoo_writer": "app", "zoo_reader": "visitor"})
    assert catalog.tables[0].policies[0].roles == ("app", "visitor")
    assert catalog.grants == (
        Grant("COLUMN", "t.a", "app", ("SELECT",), ("SELECT",)),
        Grant("TABLE", "t", "app", ("INSERT",), ("INSERT",)),
    )
    assert catalog.default_privileges == (DefaultPrivilege("TABLE", "visitor", ("SELECT",)),)


def test_the_owner_does_not_show(empty: Connection) -> None:
    """Neither its name nor its privileges: the same schema may belong to somebody else elsewhere."""
    empty.execute("CREATE TABLE t (a integer); CREATE FUNCTION f() RETURNS integer LANGUAGE sql RETURN 1")
    before = read_catalog(empty)
    empty.execute("GRANT ALL ON t TO CURRENT_USER; GRANT ALL ON FUNCTION f() TO PUBLIC")
    empty.execute("ALTER TABLE t OWNER TO zoo_writer")
    assert read_catalog(empty) == before


def test_what_an_extension_owns_is_its_own(empty: Connection) -> None:
    """Of pg_stat_statements and citext only their names are frozen, of plpgsql not even that."""
    before = read_catalog(empty)
    empty.execute("CREATE EXTENSION pg_stat_statements; CREATE EXTENSION citext; CREATE EXTENSION btree_gist")
    catalog = read_catalog(empty)
    assert [extension.name for extension in catalog.extensions] == ["btree_gist", "citext", "pg_stat_statements"]
    assert (catalog.views, catalog.functions, catalog.domains, catalog.grants) == (
        before.views,
        before.functions,
        before.domains,
        before.grants,
    )


def test_dropped_columns_do_not_shift_names(empty: Connection) -> None:
    """Numbers of columns keep their gaps; keys, foreign keys and indexes still name the right ones."""
    empty.execute(
        """
        CREATE TABLE t (gone integer, a integer, gone_too text, b integer, UNIQUE (b, a), FOREIGN KEY (a, b)
            REFERENCES t (b, a) ON DELETE SET NULL (b));
        CREATE INDEX i ON t (b) INCLUDE (a);
        CREATE TRIGGER trg BEFORE UPDATE OF b ON t EXECUTE FUNCTION suppress_redundant_updates_trigger('b');
        ALTER TABLE t DROP COLUMN gone, DROP COLUMN gone_too;
        """
    )
    (table,) = read_catalog(empty).tables
    assert [column.name for column in table.columns] == ["a", "b"]
    assert table.keys == (Key("t_b_a_key", ("b", "a")),)
    assert table.foreign_keys == (
        ForeignKey(
            "t_a_b_fkey", ("a", "b"), Name("public", "t"), ("b", "a"), on_delete="SET NULL", delete_columns=("b",)
        ),
    )
    assert table.indexes == (Index("i", "btree", (IndexKey("b", "b"),), include=("a",)),)
    assert table.triggers[0].update_columns == ("b",)


def test_an_index_that_failed_to_build_is_not_valid(zoo_servers: Callable[[int], Server]) -> None:
    """CREATE INDEX CONCURRENTLY leaves an index that promises nothing."""
    with psycopg.connect(zoo_servers(TEST_MAJOR).address.dsn("empty"), autocommit=True) as connection:
        try:
            connection.execute("CREATE TABLE twice AS SELECT 1 AS a FROM generate_series(1, 2)")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON twice (a)")
            (table,) = read_catalog(connection).tables
            assert table.indexes == (Index("broken", "btree", (IndexKey("a", "a"),), unique=True, valid=False),)
        finally:
            connection.execute("DROP TABLE twice")


nasty = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda text: len(text.encode()) < 40
)
names = (
    st.sampled_from(['a"b', "a.b", "'; DROP TABLE x; --", "\n", " ", "🦄", "%s", "{}", "select", "\\", "e\u0301"])
    | nasty
)


@given(names, names, names, nasty)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_and_texts_come_through_exactly(
    empty: Connection, table: str, column: str, constraint: str, text: str
) -> None:
    """Whatever a name or a literal holds, it is read as it is, and survives the file."""
    empty.execute("SAVEPOINT example")
    quoted = {
        "table": sql.Identifier(table),
        "column": sql.Identifier(column),
        "constraint": sql.Identifier(constraint),
        "text": sql.Literal(text),
        "trigger": sql.Identifier(constraint + "t"),
    }
    for statement in (
        "CREATE TABLE {table} ({column} text DEFAULT {text}, CONSTRAINT {constraint} CHECK ({column} <> {text}))",
        "CREATE INDEX ON {table} ({column}, lower({column}))",
        (
            "CREATE TRIGGER {trigger} BEFORE UPDATE OF {column} ON {table} FOR EACH ROW"
            " WHEN (OLD.{column} <> {text}) EXECUTE FUNCTION suppress_redundant_updates_trigger({text}, '', {text})"
        ),
        "CREATE VIEW {trigger} AS SELECT {column}, {text} AS {constraint} FROM {table} AS {constraint}",
    ):
        if column == constraint and "VIEW" in statement:
            continue
        empty.execute(sql.SQL(statement).format(**quoted))
    catalog = read_catalog(empty)
    empty.execute("ROLLBACK TO example")
    found = catalog.table(Name("public", table))
    assert found is not None
    assert found.columns[0].name == column
    assert found.checks[0].name == constraint
    assert found.indexes[0].keys[0].column == column
    assert found.triggers[0].update_columns == (column,)
    assert found.triggers[0].arguments == (text, "", text)
    assert found.triggers[0].when is not None
    contract = Contract("x", catalog)
    assert loads(dumps(contract), where="contract.toml") == contract


def test_a_triggers_condition_and_arguments_are_cut_out_exactly(empty: Connection) -> None:
    """Although names and literals look like the words around them."""
    empty.execute(
        """
        CREATE TABLE " WHEN (" (") EXECUTE FUNCTION x(" text);
        CREATE TRIGGER "WHEN (a) EXECUTE FUNCTION" AFTER UPDATE ON " WHEN (" FOR EACH ROW
            WHEN (OLD.") EXECUTE FUNCTION x(" <> ') EXECUTE FUNCTION y(''z'')')
            EXECUTE FUNCTION suppress_redundant_updates_trigger('WHEN (', 'it''s', E'back\\\\slash', '')
        """
    )
    (table,) = read_catalog(empty).tables
    assert table.triggers == (
        Trigger(
            "WHEN (a) EXECUTE FUNCTION",
            "AFTER",
            ("UPDATE",),
            "ROW",
            Name("pg_catalog", "suppress_redundant_updates_trigger"),
            arguments=("WHEN (", "it's", "back\\slash", ""),
            when="(old.\") EXECUTE FUNCTION x(\" <> ') EXECUTE FUNCTION y(''z'')'::text)",
        ),
    )


def test_a_failed_transaction_is_an_error_for_people(zoo: Connection) -> None:
    """With what to do, and no traceback of the driver's."""
    with pytest.raises(psycopg.errors.DivisionByZero):
        zoo.execute("SELECT 1 / 0")
    with pytest.raises(CatalogError, match="cannot be read") as raised:
        read_catalog(zoo)
    assert raised.value.where == "database zoo"
    assert "25P02" in str(raised.value.seen)
    assert raised.value.remedy == "Roll the failed transaction back first."


def test_a_closed_connection_is_an_error_for_people(zoo: Connection) -> None:
    """Also where the server went away."""
    zoo.close()
    with pytest.raises(CatalogError, match="cannot be read") as raised:
        read_catalog(zoo)
    assert raised.value.remedy
