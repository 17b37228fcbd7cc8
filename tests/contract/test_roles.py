"""What the application's role may do, and everybody: against every object that the live catalog knows.

The decisions stand here, so that an object that a later migration makes without one fails. What a grant promises of one
object is proven from the contracts; here it is the other way round: from all there is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from pgcontract.ephemeral import ServerChoice, Stage, staged
from pgcontract.migrations import Runner
from pgcontract.plugin import Promised
from pgcontract.server import Server
from pgcontract.system import System
from tests.contract.fix_systems import PATHS
from tests.integration.fix_migrations import SOCIAL_SELLING

REFUSED = "42501"
ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
READ = frozenset({"SELECT"})
NUMBERS = frozenset({"SELECT", "USAGE"})
NOTHING = frozenset[str]()
OF_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the application may do: rows of these tables, reading these views, calling these functions."""

    rows: frozenset[str]
    views: frozenset[str] = NOTHING
    sequences: frozenset[str] = NOTHING
    calls: frozenset[str] = NOTHING


DECISIONS: Mapping[str, Decisions] = {
    "social_selling": Decisions(
        rows=frozenset({"users", "refresh_tokens", "client_accounts", "oauth_tokens", "products", "product_links"})
        | {"conversations", "messages", "message_products", "analytics_events", "instagram_media", "notifications"},
        views=frozenset({"analytics_daily_summary"}),
        calls=frozenset({"refresh_analytics_daily_summary()"}),
    ),
    "messenger": Decisions(
        rows=frozenset({"users", "contacts", "chats", "chat_participants", "messages", "attachments"})
        | {"message_reactions", "message_delivery", "unread_messages", "user_sessions"},
    ),
    "optimizer": Decisions(
        rows=frozenset({"plans", "app_instances", "jobs", "job_items", "publish_logs"}),
        calls=frozenset({"claim_items(integer)", "requeue_items(interval)", "reset_credits()"})
        | {"finish_item(uuid,timestamp with time zone,text)", "fail_item(uuid,timestamp with time zone,text)"}
        | {"extend_claim(uuid,timestamp with time zone)", "spend_credits(text,integer)"},
    ),
}

# what PUBLIC is left with, and why
LEFT_TO_PUBLIC = {
    ("language", "sql"): "nobody but its owner may create a function in any schema",
    ("schema", "pg_catalog"): "no session works without it",
    ("schema", "information_schema"): "it shows to each role what that role may reach",
}
LEFT_OF_EXTENSIONS = {
    "pgcrypto": "the application encrypts tokens and hashes with it; whoever has no USAGE of the schema cannot call it",
    "uuid-ossp": "functions of their arguments alone",
    "pg_trgm": "the operators of text search are these functions",
    "pg_stat_statements": "it hides the texts of other roles' statements from everybody but the monitoring roles",
    "plpgsql": "as the language sql",
}

_TO_PUBLIC = """
    WITH lists (classid, objid, acl) AS (
      SELECT 'pg_class'::REGCLASS, oid,
             COALESCE(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))
      FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      UNION ALL SELECT 'pg_proc'::REGCLASS, oid, COALESCE(proacl, acldefault('f', proowner)) FROM pg_proc
      UNION ALL SELECT 'pg_namespace'::REGCLASS, oid, COALESCE(nspacl, acldefault('n', nspowner)) FROM pg_namespace
      UNION ALL
      SELECT 'pg_language'::REGCLASS, oid, COALESCE(lanacl, acldefault('l', lanowner)) FROM pg_language
      WHERE lanpltrusted
      UNION ALL
      SELECT 'pg_foreign_server'::REGCLASS, oid, COALESCE(srvacl, acldefault('S', srvowner)) FROM pg_foreign_server
      UNION ALL
      SELECT 'pg_database'::REGCLASS, oid, COALESCE(datacl, acldefault('d', datdba)) FROM pg_database
      WHERE datname = current_database()
      -- a type gives nobody a value, and the row types of tables nobody can do without; the schema's own ones do count
      UNION ALL
      SELECT 'pg_type'::REGCLASS, oid, typacl FROM pg_type WHERE typacl IS NOT NULL
      UNION ALL
      SELECT 'pg_class'::REGCLASS, attrelid, attacl FROM pg_attribute WHERE attacl IS NOT NULL
    )
    SELECT DISTINCT object.type, object.identity, extension.extname
    FROM lists
    CROSS JOIN aclexplode(lists.acl) AS entry
    CROSS JOIN pg_identify_object(lists.classid, lists.objid, 0) AS object
    LEFT JOIN pg_depend AS member
      ON member.classid = lists.classid AND member.objid = lists.objid AND member.deptype = 'e'
    LEFT JOIN pg_extension AS extension ON extension.oid = member.refobjid
    WHERE entry.grantee = 0
      AND COALESCE(object.schema, '') NOT IN ('pg_catalog', 'information_schema')
"""
# everything in any schema that is not the server's own, with the application's privileges on it
_RELATIONS = """
    SELECT c.relkind::TEXT, n.nspname, c.relname, extension.extname,
           (SELECT quote_ident(a.attname) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated = '' AND a.attidentity <> 'a'
            ORDER BY a.attnum ASC LIMIT 1)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend AS member
      ON member.classid = 'pg_class'::REGCLASS AND member.objid = c.oid AND member.deptype = 'e'
    LEFT JOIN pg_extension AS extension ON extension.oid = member.refobjid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname ASC, c.relname ASC
"""
_FUNCTIONS = """
    SELECT p.oid, n.nspname, p.oid::REGPROCEDURE::TEXT, p.prorettype = 'trigger'::REGTYPE
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
"""

# another migration, after the system's own
LATER = """
CREATE TABLE later (id BIGINT GENERATED BY DEFAULT AS IDENTITY CONSTRAINT pk_later PRIMARY KEY, note TEXT NOT NULL);
CREATE SEQUENCE later_numbers;
CREATE VIEW later_notes AS SELECT id, note FROM later;
CREATE FUNCTION later_function() RETURNS INTEGER LANGUAGE sql AS 'SELECT 1';

-- ROLLBACK
DROP FUNCTION later_function();
DROP VIEW later_notes;
DROP SEQUENCE later_numbers;
DROP TABLE later;
"""


@dataclass(frozen=True)
class Application:
    """A database with a system's schema, and the application's role in it."""

    system: System
    dsn: str
    connection: psycopg.Connection
    role: str
    decisions: Decisions

    def outcome(self, statement: str, *, prepare: str = "SELECT", role: str | None = None) -> str:
        """The SQLSTATE of a statement that the application runs, after the owner has run another; both undone."""
        becomes = sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role or self.role))
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(prepare.encode())
                self.connection.execute(becomes)
                self.connection.execute(statement.encode())
        except psycopg.Error as error:
            return error.sqlstate or str(error)
        return "00000"

    def held(self, kind: str, name: str, privileges: tuple[str, ...]) -> frozenset[str]:
        """Which of the privileges the application has on an object, or on any of its columns."""
        asked = f"has_{kind}_privilege(%(role)s::NAME, %(name)s::TEXT, p)"
        if kind == "table":
            column = "has_any_column_privilege(%(role)s::NAME, %(name)s::TEXT, p)"
            asked = f"CASE WHEN p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') THEN {column} ELSE {asked} END"
        rows = self.connection.execute(
            f"SELECT p FROM unnest(%(all)s::TEXT[]) AS p WHERE {asked}".encode(),
            {"all": list(privileges), "role": self.role, "name": name},
        ).fetchall()
        return frozenset(privilege for (privilege,) in rows)

    @property
    def tables(self) -> tuple[str, ...]:
        """The privileges that there are on tables."""
        return (*OF_TABLES, "MAINTAIN") if self.connection.info.server_version >= 170000 else OF_TABLES


def _with_application() -> list[Path]:
    return [path for path in PATHS if "app" in System.load(path).roles]


@pytest.fixture(scope="module", params=_with_application(), ids=lambda path: path.name)
def stage(request: pytest.FixtureRequest, pgcontract_server: Server) -> Iterator[Stage]:
    """Each system that has an application's role, on the run's server; on a user's own, with a role of this run."""
    choice = ServerChoice(dsn=request.config.getoption("--dsn"))
    with staged(System.load(request.param), pgcontract_server, choice) as made:
        yield made


@pytest.fixture(scope="module")
def application(stage: Stage) -> Iterator[Application]:
    """The system's own schema; every test undoes what it did."""
    with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
        role = stage.roles["app"]
        yield Application(stage.system, clone.dsn, connection, role, DECISIONS[stage.system.name])


@pytest.mark.promises("privilege", "default privilege", "row policy")
def test_privileges(promise: Promised) -> None:
    """Each role can do what it is granted, on what is there and on what is made later; all else fails with 42501."""
    promise.prove()


def test_every_relation_has_a_decision_and_the_application_no_more_and_no_less(application: Application) -> None:
    """Tables: rows. Views: reading. Sequences: numbers. The tracking table: nothing."""
    decided = application.decisions
    for kind, namespace, name, extension, column in application.connection.execute(_RELATIONS).fetchall():
        if extension is not None:
            continue
        known = decided.sequences if kind == "S" else decided.views if kind in "vm" else decided.rows
        expected = (NUMBERS if kind == "S" else READ if kind in "vm" else ROWS) if name in known else NOTHING
        tracking = (namespace, name) == (
            application.system.tracking_table.namespace,
            application.system.tracking_table.name,
        )
        assert name in known or tracking, f"{name}: nobody has decided what the application may do with it"
        kinds = ("sequence", ("SELECT", "UPDATE", "USAGE")) if kind == "S" else ("table", application.tables)
        quoted = sql.Identifier(namespace, name).as_string()
        assert application.held(kinds[0], quoted, kinds[1]) == expected, name
        found = {need: application.outcome(statement) for need, statement in deeds(kind, quoted, column).items()}
        assert found == {need: "00000" if need in expected else REFUSED for need in found}, name


def deeds(kind: str, name: str, column: str) -> dict[str, str]:
    """Statements that need a privilege on a relation, or that only its owner may run, by what they need."""
    if kind == "S":
        return {
            "USAGE": f"SELECT nextval('{name}')",
            "SELECT": f"SELECT last_value FROM {name}",
            "UPDATE": f"SELECT setval('{name}', 1)",
            "altering": f"ALTER SEQUENCE {name} RESTART",
            "dropping": f"DROP SEQUENCE {name}",
        }
    word = {"v": "VIEW", "m": "MATERIALIZED VIEW"}.get(kind, "TABLE")
    common = {
        "SELECT": f"SELECT * FROM {name}",
        "DELETE": f"DELETE FROM {name} WHERE false",
        "dropping": f"DROP {word} {name}",
        "altering": f"ALTER {word} {name} RENAME TO renamed",
        "copying": f"COPY {name} TO PROGRAM 'true'",
    }
    if kind == "m":
        return common | {"REFRESH": f"REFRESH MATERIALIZED VIEW {name}", "an index": f"CREATE INDEX ON {name} ((1))"}
    if kind == "v":
        return common
    return common | {
        "INSERT": f"INSERT INTO {name} ({column}) SELECT {column} FROM {name} WHERE false",
        "UPDATE": f"UPDATE {name} SET {column} = DEFAULT WHERE false",
        "TRUNCATE": f"TRUNCATE {name}",
        "TRIGGER": f"CREATE TRIGGER made BEFORE INSERT ON {name} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "an index": f"CREATE INDEX ON {name} ((1))",
        "triggers off": f"ALTER TABLE {name} DISABLE TRIGGER ALL",
        "a policy": f"CREATE POLICY made ON {name}",
        "REINDEX": f"REINDEX TABLE {name}",
        "passing on": f"ALTER TABLE {name} OWNER TO CURRENT_USER",
    }


def test_every_function_has_a_decision_and_the_application_no_more_and_no_less(application: Application) -> None:
    """What a trigger runs nobody calls; of the others, those that were decided."""
    functions = application.connection.execute(_FUNCTIONS).fetchall()
    calls = {name for _, _, name, trigger in functions if not trigger}
    assert {name.removeprefix("public.") for name in calls} == application.decisions.calls
    for oid, _, name, _ in functions:
        (held,) = application.connection.execute(
            "SELECT has_function_privilege(%s::NAME, %s::OID, 'EXECUTE')", (application.role, oid)
        ).fetchone() or (None,)
        assert held is (name in calls), name
        expected = "00000" if held else REFUSED
        if name.endswith("()"):
            assert application.outcome(f"SELECT {name} WHERE false") == expected, name
        assert application.outcome(f"ALTER ROUTINE {name} RESET ALL") == REFUSED
        assert application.outcome(f"DROP ROUTINE {name}") == REFUSED


FORBIDDEN = {
    "a table": "CREATE TABLE public.made ()",
    "a temporary table": "CREATE TEMPORARY TABLE made ()",
    "a temporary view": "CREATE TEMPORARY VIEW made AS SELECT 1",
    "a table in another schema": "CREATE TABLE pg_catalog.made ()",
    "a schema": "CREATE SCHEMA made",
    "a type": "CREATE TYPE public.made AS ENUM ()",
    "a sequence": "CREATE SEQUENCE public.made",
    "a view": "CREATE VIEW public.made AS SELECT 1",
    "a function": "CREATE FUNCTION public.made() RETURNS INTEGER LANGUAGE sql AS 'SELECT 1'",
    "an extension": "CREATE EXTENSION dblink",
    "a role": "CREATE ROLE made",
    "an event trigger": "CREATE EVENT TRIGGER made ON ddl_command_start EXECUTE FUNCTION pg_catalog.made()",
    "skipping triggers": "SET LOCAL session_replication_role = replica",
    "reading the server's files": "SELECT pg_read_file('PG_VERSION')",
    "hashes of passwords": "SELECT rolpassword FROM pg_authid",
    "a checkpoint": "CHECKPOINT",
    "renaming the schema": "ALTER SCHEMA public RENAME TO made",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_application_may_not(application: Application, what: str) -> None:
    """Nothing but rows: no object of its own, not even a temporary one, and nothing of the server's."""
    assert application.outcome(FORBIDDEN[what]) == REFUSED


def test_the_role_is_nothing_but_a_group(application: Application) -> None:
    """It cannot log in, has no attribute, is a member of nothing, and owns nothing."""
    row = application.connection.execute(
        "SELECT rolcanlogin OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls,"
        " (SELECT count(*) FROM pg_auth_members WHERE member = r.oid),"
        " (SELECT count(*) FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o')"
        " FROM pg_roles AS r WHERE rolname = %s",
        (application.role,),
    ).fetchone()
    assert row == (False, 0, 0)


def test_a_later_migration_s_objects_are_reached_as_decided(stage: Stage, tmp_path: Path) -> None:
    """Rows and numbers without a word in the migration, functions only by one; the tracking table not at all."""
    system = stage.system
    assert system.migrations is not None
    folder = tmp_path / "migrations"
    shutil.copytree(system.migrations, folder)
    number = len(list(folder.glob("*.sql"))) + 1
    (folder / f"{number:03}-later.sql").write_text(LATER)
    with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
        Runner(clone.dsn, folder, tracking_table=system.tracking_table).up()
        app = Application(system, clone.dsn, connection, stage.roles["app"], DECISIONS[system.name])
        assert app.held("table", "public.later", app.tables) == ROWS
        assert app.held("sequence", "public.later_numbers", ("SELECT", "UPDATE", "USAGE")) == NUMBERS
        assert app.outcome("INSERT INTO public.later (note) VALUES ('one')") == "00000"
        assert app.outcome("SELECT nextval('public.later_numbers')") == "00000"
        assert app.outcome("SELECT * FROM public.later_notes") == "00000"
        tracking = sql.Identifier(system.tracking_table.namespace, system.tracking_table.name).as_string()
        refused = {
            "TRUNCATE public.later",
            "DROP TABLE public.later",
            "SELECT public.later_function()",
            f"SELECT * FROM {tracking}",
            f"DELETE FROM {tracking}",
        }
        assert {statement: app.outcome(statement) for statement in refused} == dict.fromkeys(refused, REFUSED)


def test_nothing_is_left_to_public_without_a_reason(application: Application) -> None:
    """Not the database, not the schema, no table, view, sequence or function of the schema's own."""
    rows = application.connection.execute(_TO_PUBLIC).fetchall()
    left = {(kind, name) for kind, name, extension in rows if extension is None}
    assert left == set(LEFT_TO_PUBLIC)
    extensions = {extension for _, _, extension in rows if extension is not None}
    assert extensions <= set(LEFT_OF_EXTENSIONS)


def test_somebody_without_grants_reaches_nothing(application: Application) -> None:
    """A role of its own has what PUBLIC has: not one table, view, sequence or function of the schema."""
    nobody = "pgcontract_nobody"
    made = f"CREATE ROLE {nobody}"
    for _, namespace, name, _, _ in application.connection.execute(_RELATIONS).fetchall():
        statement = f"SELECT FROM {sql.Identifier(namespace, name).as_string()}"
        assert application.outcome(statement, prepare=made, role=nobody) == REFUSED, name
    assert application.outcome("CREATE TEMPORARY TABLE made ()", prepare=made, role=nobody) == REFUSED
    connect = f"SELECT 1 / has_database_privilege('{nobody}', current_database(), 'CONNECT')::INTEGER"
    assert application.outcome(connect, prepare=made, role=nobody) == "22012"


@pytest.mark.parametrize("stage", [SOCIAL_SELLING], ids=["social_selling"], indirect=True)
def test_the_summary_is_refreshed_through_its_function_only(application: Application) -> None:
    """The application sees new events after its call, and cannot refresh, change or replace the view otherwise."""
    event = (
        "INSERT INTO public.users (id, email, password_hash, name) VALUES"
        " ('00000000-0000-0000-0000-00000000000a', 'ana@example.com', '$2b$12$' || repeat('a', 53), 'Ana');"
        " INSERT INTO public.analytics_events (user_id, event_type, event_category, occurred_at)"
        " VALUES ('00000000-0000-0000-0000-00000000000a', 'view', 'sales', now())"
    )
    shown = "SELECT 1 / (SELECT count(*) FROM public.analytics_daily_summary)"
    assert application.outcome(shown, prepare=event) == "22012"
    called = (
        f"DO $$ BEGIN PERFORM public.refresh_analytics_daily_summary(); PERFORM {shown.removeprefix('SELECT')}; END $$"
    )
    assert application.outcome(called, prepare=event) == "00000"
    for word in ("", "CONCURRENTLY "):
        statement = f"REFRESH MATERIALIZED VIEW {word}public.analytics_daily_summary"
        assert application.outcome(statement, prepare=event) == REFUSED
