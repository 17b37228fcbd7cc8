"""Privileges, default privileges, views and row policies: what is sound is proven, and every mutant is seen."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.contract import promises_of
from pgcontract.model import Catalog, Grant, Verdict
from pgcontract.promises import promises
from pgcontract.prover import Prover
from pgcontract.rows.worlds import Worlds
from pgcontract.server import Server
from pgcontract.session import Session

pytestmark = pytest.mark.thorough

KINDS = ("privilege", "default privilege", "view", "materialised view", "row policy", "unique index")

Judge = Callable[..., dict[str, Verdict]]


@pytest.fixture(scope="module")
def roles(pgcontract_server: Server) -> Iterator[Mapping[str, str]]:
    """Roles of this run, by the names that contracts know them by."""
    suffix = secrets.token_hex(4)
    names = {name: f"pgcontract_test_{name}_{suffix}" for name in ("app", "reader", "group")}
    with psycopg.connect(pgcontract_server.address.dsn(), autocommit=True) as connection:
        for name in names.values():
            connection.execute(f"CREATE ROLE {name}")
        yield names
        for name in names.values():
            connection.execute(f"DROP ROLE {name}")


@pytest.fixture(scope="module")
def contracts() -> dict[str, Catalog]:
    """What each schema promised when it was read first: it is the same in every database."""
    return {}


@pytest.fixture
def judge(empty_database: str, roles: Mapping[str, str], contracts: dict[str, Catalog]) -> Iterator[Judge]:
    """Freeze a schema, break it, and try what it promised: ``judge(schema, mutant, *ids)`` gives verdicts by id.

    ``{app}`` and the like in the SQL stand for this run's roles, ``{database}`` for this test's database.
    """
    with psycopg.connect(empty_database, autocommit=True) as connection:
        names = {**roles, "database": connection.info.dbname}
        contract_names = {live: name for name, live in roles.items()}

        def run(text: str) -> None:
            for name, live in names.items():
                text = text.replace(f"{{{name}}}", live)
            connection.execute(text.encode())

        def judged(schema: str, mutant: str = "", *ids: str) -> dict[str, Verdict]:
            run(schema)
            if schema not in contracts:
                contracts[schema] = read_catalog(connection, roles=contract_names)
            frozen = contracts[schema]
            run(mutant)
            live = read_catalog(connection, roles=contract_names) if mutant else frozen
            covered = dict(promises(frozen))
            wanted = [i for i, kind, _ in promises_of(frozen) if (i in ids if ids else kind in KINDS)]
            assert set(ids) <= set(wanted)
            with psycopg.connect(empty_database, autocommit=True) as other:
                session = Session(other)
                prover = Prover(session, Worlds(live, session, roles), examples=10)
                verdicts = {i: prover.verdict(covered[i]) for i in wanted}
                session.close()
            return verdicts

        yield judged
        # the roles are dropped when nothing depends on them
        connection.execute(f"DROP OWNED BY {', '.join(roles.values())} CASCADE")


def told(verdicts: Mapping[str, Verdict]) -> list[tuple[str, str | None, str | None]]:
    """What is not proven, and why."""
    return [(i, v.reason, v.counterexample) for i, v in verdicts.items() if v.verdict != "proven"]


def mutants(broken: Mapping[str, Sequence[str]]) -> list[Any]:
    """Every mutant with the promise that it breaks; but for the first one of each they are left to CI."""
    return [
        pytest.param(id_, mutant, marks=(pytest.mark.thorough,) if number else (), id=f"{id_}-{number}")
        for id_, several in broken.items()
        for number, mutant in enumerate(several)
    ]


SHOP = """
    CREATE TYPE mood AS ENUM ('good', 'bad');
    REVOKE ALL ON TYPE mood FROM PUBLIC;
    GRANT USAGE ON TYPE mood TO {app};
    GRANT USAGE ON SCHEMA public TO {app};
    CREATE SCHEMA "Odd "" schema";
    GRANT USAGE, CREATE ON SCHEMA "Odd "" schema" TO {reader};
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, secret TEXT, mood mood);
    CREATE TABLE orders (id SERIAL PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), total NUMERIC);
    CREATE TABLE audit (id INTEGER PRIMARY KEY, line TEXT);
    CREATE TABLE "Odd "" schema"."odd.table" ("the ""key"" itself" INTEGER PRIMARY KEY, "select" TEXT);
    CREATE VIEW totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;
    CREATE VIEW names AS SELECT id, name FROM users;
    CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS orders FROM orders;
    CREATE FUNCTION price(amount INTEGER, VARIADIC more INTEGER[]) RETURNS INTEGER
      LANGUAGE plpgsql STRICT AS $$ BEGIN RAISE EXCEPTION 'it was run'; END $$;
    CREATE PROCEDURE close(day DATE) LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it was run'; END $$;
    CREATE FUNCTION note() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit (id) VALUES (NEW.id);
      RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION note();
    REVOKE ALL ON FUNCTION price(INTEGER, INTEGER[]), note() FROM PUBLIC;
    REVOKE ALL ON PROCEDURE close(DATE) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION price(INTEGER, INTEGER[]) TO {app} WITH GRANT OPTION;
    GRANT SELECT (id, name), UPDATE (name) ON users TO {reader};
    GRANT INSERT ON users TO {app};
    GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO {app};
    GRANT ALL ON orders TO {reader};
    GRANT UPDATE, DELETE ON audit TO {reader};
    GRANT SELECT ON names, totals, summary TO {app};
    GRANT UPDATE ON names TO {app} WITH GRANT OPTION;
    GRANT USAGE ON SEQUENCE orders_id_seq TO {app};
    GRANT SELECT ON SEQUENCE orders_id_seq TO {reader};
    GRANT SELECT, DELETE ON "Odd "" schema"."odd.table" TO {reader};
    GRANT SELECT ON "Odd "" schema"."odd.table" TO PUBLIC;
    REVOKE ALL ON DATABASE {database} FROM PUBLIC;
    GRANT CONNECT, CREATE ON DATABASE {database} TO {app};
"""
BROKEN_PRIVILEGES = {
    "grant app on orders": [
        "REVOKE SELECT ON orders FROM {app}",
        "REVOKE DELETE ON orders FROM {app}",
        "GRANT TRUNCATE ON orders TO {app}",
        "GRANT TRUNCATE ON orders TO PUBLIC",
        "GRANT SELECT ON orders TO {app} WITH GRANT OPTION",
        "ALTER TABLE orders OWNER TO {app}",
    ],
    "grant reader on orders": ["REVOKE TRIGGER ON orders FROM {reader}", "REVOKE REFERENCES ON orders FROM {reader}"],
    "grant app on users": [
        "REVOKE INSERT ON users FROM {app}",
        "GRANT SELECT ON users TO {app}",
        "GRANT SELECT (secret) ON users TO PUBLIC",
    ],
    "grant reader on audit": ["DROP TABLE audit", "REVOKE UPDATE ON audit FROM {reader}"],
    "grant app on names": [
        "REVOKE GRANT OPTION FOR UPDATE ON names FROM {app}",
        "GRANT INSERT ON names TO {app}",
        "GRANT TRIGGER ON names TO {app}",
    ],
    "grant app on summary": ["GRANT DELETE ON summary TO {app}", "DROP MATERIALIZED VIEW summary"],
    "grant reader on users.id": [
        "REVOKE SELECT (id) ON users FROM {reader}",
        "GRANT UPDATE (id) ON users TO {reader}",
        "GRANT SELECT (secret) ON users TO {reader}",
    ],
    "grant app on schema public": [
        "REVOKE USAGE ON SCHEMA public FROM {app}",
        "GRANT CREATE ON SCHEMA public TO {app}",
        "GRANT SELECT ON audit TO {app}",
        "GRANT SELECT ON audit TO PUBLIC",
        "GRANT EXECUTE ON FUNCTION note() TO {app}",
    ],
    'grant reader on schema Odd " schema': ['REVOKE CREATE ON SCHEMA "Odd "" schema" FROM {reader}'],
    'grant PUBLIC on "Odd "" schema"."odd.table"': [
        'REVOKE SELECT ON "Odd "" schema"."odd.table" FROM PUBLIC',
        'GRANT INSERT ON "Odd "" schema"."odd.table" TO PUBLIC',
    ],
    "revoke PUBLIC on function note()": ["GRANT EXECUTE ON FUNCTION note() TO PUBLIC"],
    "revoke PUBLIC on function close(IN day date)": ["GRANT EXECUTE ON PROCEDURE close(DATE) TO PUBLIC"],
    "grant app on function price(amount integer, VARIADIC more integer[])": [
        "REVOKE EXECUTE ON FUNCTION price(INTEGER, INTEGER[]) FROM {app}",
        "REVOKE GRANT OPTION FOR EXECUTE ON FUNCTION price(INTEGER, INTEGER[]) FROM {app}",
        "DROP FUNCTION price(INTEGER, INTEGER[])",
    ],
    "grant app on type mood": ["REVOKE USAGE ON TYPE mood FROM {app}"],
    "revoke PUBLIC on type mood": ["GRANT USAGE ON TYPE mood TO PUBLIC"],
    "grant app on sequence orders_id_seq": [
        "REVOKE USAGE ON SEQUENCE orders_id_seq FROM {app}",
        "GRANT UPDATE ON SEQUENCE orders_id_seq TO {app}",
        "GRANT SELECT ON SEQUENCE orders_id_seq TO {app}",
    ],
    "grant app on database": [
        "REVOKE CONNECT ON DATABASE {database} FROM {app}",
        "GRANT TEMPORARY ON DATABASE {database} TO {app}",
    ],
    "revoke PUBLIC on database": ["GRANT TEMPORARY ON DATABASE {database} TO PUBLIC"],
}


def test_privileges_are_proven_on_every_kind_of_object(judge: Judge) -> None:
    """Granted by role, by column, to everybody, and taken from everybody; no function is run."""
    verdicts = judge(SHOP)
    assert told(verdicts) == []
    privileges = {i: v for i, v in verdicts.items() if v.kind == "privilege"}
    assert len(privileges) == 23
    assert set(BROKEN_PRIVILEGES) <= set(privileges)
    assert all(v.accepts >= len(v.clause.split(" ON ")[0].split(",")) for i, v in privileges.items() if i[0] == "g")
    assert all(v.rejects for v in privileges.values())
    # the trigger writes for the role to a table that the role may not write to
    assert "INSERT is shown without a row: 42501" in (privileges["grant app on users"].reason or "")


@pytest.mark.parametrize(("broken", "mutant"), mutants(BROKEN_PRIVILEGES))
def test_a_changed_privilege_is_seen(judge: Judge, broken: str, mutant: str) -> None:
    """More than was granted, or less, breaks that very promise."""
    assert judge(SHOP, mutant, broken)[broken].verdict == "broken"


@pytest.mark.parametrize(
    ("schema", "mutant", "id_"),
    [
        ("GRANT {group} TO {app}; GRANT SELECT ON t TO {app}; GRANT DELETE ON t TO {group}", "", "grant app on t"),
        ("GRANT SELECT ON t TO {app}", "GRANT {group} TO {app}; GRANT INSERT ON t TO {group}", "grant app on t"),
    ],
    ids=["granted", "added"],
)
def test_what_a_role_has_as_a_member_of_another_is_not_judged(
    judge: Judge, schema: str, mutant: str, id_: str, roles: Mapping[str, str], empty_database: str
) -> None:
    """Membership is the cluster's business; the verdict says that something was left out."""
    try:
        verdict = judge(f"CREATE TABLE t (id INTEGER); {schema}", mutant, id_)[id_]
        assert verdict.verdict == "proven"
        assert f"is a member of {roles['group']}" in (verdict.reason or "")
    finally:
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(f"REVOKE {roles['group']} FROM {roles['app']}")


def test_nothing_can_be_shown_with_a_superuser(judge: Judge, roles: Mapping[str, str], empty_database: str) -> None:
    """To whom nothing is refused: unproven, with the reason."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {roles['group']} SUPERUSER")
        try:
            verdict = judge("CREATE TABLE t (id INTEGER); GRANT SELECT ON t TO {group}", "", "grant group on t")
        finally:
            connection.execute(f"ALTER ROLE {roles['group']} NOSUPERUSER")
    assert verdict["grant group on t"].verdict == "unproven"
    assert "superuser" in (verdict["grant group on t"].reason or "")


def test_a_role_that_is_not_there_has_no_privilege(empty_database: str) -> None:
    """The contract names a role that the server does not know: the promise is broken."""
    grant = Grant("TABLE", "t", "pgcontract_test_nobody", ("SELECT",))
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id INTEGER)")
        live = read_catalog(connection)
        ((_, promise),) = (p for p in promises(replace(live, grants=(grant,))) if p[1].kind == "privilege")
        session = Session(connection)
        verdict = Prover(session, Worlds(live, session)).verdict(promise)
        session.close()
    assert (verdict.verdict, "42704" in (verdict.reason or "")) == ("broken", True)


LATER = """
    CREATE SCHEMA audit;
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {app};
    ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT SELECT, INSERT ON TABLES TO {app};
    ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT ALL ON TABLES TO {reader} WITH GRANT OPTION;
    ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT USAGE ON SEQUENCES TO {app};
    ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT EXECUTE ON FUNCTIONS TO {app};
    ALTER DEFAULT PRIVILEGES FOR ROLE {group} IN SCHEMA audit GRANT USAGE ON TYPES TO {app};
"""
BROKEN_DEFAULTS = {
    "grant app on later tables in audit": [
        "ALTER DEFAULT PRIVILEGES IN SCHEMA audit REVOKE INSERT ON TABLES FROM {app}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT DELETE ON TABLES TO {app}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA audit REVOKE ALL ON TABLES FROM {app}, {reader}",
        "ALTER DEFAULT PRIVILEGES GRANT TRUNCATE ON TABLES TO PUBLIC",
    ],
    "grant reader on later tables in audit": [
        "ALTER DEFAULT PRIVILEGES IN SCHEMA audit REVOKE GRANT OPTION FOR SELECT ON TABLES FROM {reader}"
    ],
    "grant app on later sequences in audit": [
        "ALTER DEFAULT PRIVILEGES IN SCHEMA audit REVOKE USAGE ON SEQUENCES FROM {app}"
    ],
    "grant app on later functions in audit": [
        "ALTER DEFAULT PRIVILEGES IN SCHEMA audit REVOKE EXECUTE ON FUNCTIONS FROM {app}"
    ],
    "revoke PUBLIC on later functions": ["ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC"],
    "revoke PUBLIC on later types": ["ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC"],
    "grant app on later schemas": [
        "ALTER DEFAULT PRIVILEGES REVOKE USAGE ON SCHEMAS FROM {app}",
        "ALTER DEFAULT PRIVILEGES GRANT CREATE ON SCHEMAS TO {app}",
    ],
    "grant app on later types in audit": [
        "ALTER DEFAULT PRIVILEGES FOR ROLE {group} IN SCHEMA audit REVOKE USAGE ON TYPES FROM {app}"
    ],
}


def test_default_privileges_are_proven_on_what_is_made_later(judge: Judge) -> None:
    """Tables, sequences, functions, types and schemas, made by whose list it is."""
    verdicts = judge(LATER)
    assert told(verdicts) == []
    assert {v.id for v in verdicts.values() if v.kind == "default privilege"} == set(BROKEN_DEFAULTS)


@pytest.mark.parametrize(("broken", "mutant"), mutants(BROKEN_DEFAULTS))
def test_a_changed_default_privilege_is_seen(judge: Judge, broken: str, mutant: str) -> None:
    """More than was promised on later objects, or less."""
    assert judge(LATER, mutant, broken)[broken].verdict == "broken"


VIEWS = """
    CREATE TABLE users (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL, deleted_at TIMESTAMPTZ, facts JSON,
      tier TEXT NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'gold', 'old'))
    );
    CREATE TABLE orders (
      id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), placed DATE,
      total NUMERIC CHECK (total >= 0), status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'void'))
    );
    CREATE VIEW paid AS
      SELECT o.id, u.name, u.facts, o.total FROM orders AS o JOIN users AS u ON u.id = o.user_id
      WHERE u.deleted_at IS NULL AND o.status = 'paid' AND o.total > 10;
    CREATE VIEW small AS SELECT id, name FROM paid WHERE total < 100;
    CREATE VIEW per_user AS
      SELECT u.id, count(o.id) AS orders, sum(o.total) FILTER (WHERE o.status = 'paid') AS paid
      FROM users AS u LEFT JOIN orders AS o ON o.user_id = u.id GROUP BY u.id;
    CREATE VIEW tiers AS SELECT DISTINCT tier FROM users;
    CREATE VIEW living WITH (security_barrier) AS
      SELECT id, name, tier AS level, deleted_at FROM users WHERE deleted_at IS NULL WITH CHECK OPTION;
    CREATE VIEW names AS SELECT id, name, level FROM living WHERE level <> 'old';
    CREATE VIEW gold AS SELECT id, name, level FROM names WHERE name <> '' WITH LOCAL CHECK OPTION;
    CREATE VIEW own WITH (security_invoker) AS SELECT id, user_id FROM orders;
    CREATE MATERIALIZED VIEW daily AS
      SELECT user_id, placed, sum(total) AS total, count(*) AS orders FROM orders GROUP BY user_id, placed;
    CREATE UNIQUE INDEX idx_daily ON daily (user_id, placed) NULLS NOT DISTINCT;
    CREATE UNIQUE INDEX idx_daily_placed ON daily (placed, user_id) WHERE orders > 3;
"""
REPLACE_DAILY = """
    DROP MATERIALIZED VIEW daily;
    CREATE MATERIALIZED VIEW daily AS
      SELECT user_id, placed, {total} AS total, count({counted}) AS orders FROM orders {where} GROUP BY user_id, placed;
    CREATE UNIQUE INDEX idx_daily ON daily (user_id, placed) NULLS NOT DISTINCT;
"""
REPLACE_PAID = """
    CREATE OR REPLACE VIEW paid AS
      SELECT o.id, u.name, u.facts, o.total FROM orders AS o {join} JOIN users AS u ON u.id = o.user_id WHERE {where}
"""
REPLACE_LIVING = "CREATE OR REPLACE VIEW living AS SELECT id, name, tier AS level, deleted_at FROM users WHERE {where}"
REPLACE_PER_USER = """
    CREATE OR REPLACE VIEW per_user AS
      SELECT u.id, count({counted}) AS orders, sum(o.total) FILTER (WHERE {paid}) AS paid
      FROM users AS u {join} JOIN orders AS o ON o.user_id = u.id GROUP BY u.id;
"""
DAILY = {"total": "sum(total)", "counted": "*", "where": ""}
PAID = {"join": "", "where": "u.deleted_at IS NULL AND o.status = 'paid' AND o.total > 10"}
PER_USER = {"join": "LEFT", "counted": "o.id", "paid": "o.status = 'paid'"}
BROKEN_VIEWS = {
    "paid": [
        REPLACE_PAID.format(**PAID | {"where": "u.deleted_at IS NULL AND o.status = 'paid' AND o.total >= 10"}),
        REPLACE_PAID.format(**PAID | {"where": "u.deleted_at IS NULL AND o.status <> 'open' AND o.total > 10"}),
        REPLACE_PAID.format(**PAID | {"where": "o.status = 'paid' AND o.total > 10"}),
        REPLACE_PAID.format(**PAID | {"join": "LEFT", "where": f"o.status = 'void' OR {PAID['where']}"}),
        "ALTER VIEW paid RENAME COLUMN total TO amount",
        "ALTER VIEW paid SET (security_barrier)",
        "DROP VIEW paid CASCADE",
    ],
    "small": ["CREATE OR REPLACE VIEW small AS SELECT id, name FROM paid WHERE total <= 100"],
    "per_user": [
        REPLACE_PER_USER.format(**PER_USER | {"join": ""}),
        REPLACE_PER_USER.format(**PER_USER | {"counted": "*"}),
        REPLACE_PER_USER.format(**PER_USER | {"paid": "o.status <> 'open'"}),
    ],
    "tiers": ["CREATE OR REPLACE VIEW tiers AS SELECT tier FROM users"],
    "living": [
        REPLACE_LIVING.format(where="deleted_at IS NULL") + "; ALTER VIEW living SET (security_barrier)",
        REPLACE_LIVING.format(where="true WITH CHECK OPTION"),
        REPLACE_LIVING.format(where="deleted_at IS NULL WITH CHECK OPTION")
        + "; ALTER VIEW living RESET (check_option)",
    ],
    "gold": [
        "CREATE OR REPLACE VIEW gold AS SELECT id, name, level FROM names WHERE name <> '' WITH CASCADED CHECK OPTION",
        "CREATE OR REPLACE VIEW gold AS SELECT id, name, level FROM names WHERE name <> ''",
    ],
    "own": ["ALTER VIEW own RESET (security_invoker)"],
    "daily": [
        REPLACE_DAILY.format(**DAILY | {"total": "max(total)"}),
        REPLACE_DAILY.format(**DAILY | {"counted": "total"}),
        REPLACE_DAILY.format(**DAILY | {"where": "WHERE user_id IS NOT NULL"}),
        "DROP INDEX idx_daily",
        "DROP MATERIALIZED VIEW daily; CREATE VIEW daily AS SELECT user_id, placed, total, 1 AS orders FROM orders",
    ],
    "daily.idx_daily": [
        "DROP INDEX idx_daily",
        "DROP INDEX idx_daily; CREATE UNIQUE INDEX idx_daily ON daily (user_id, placed)",
        "DROP INDEX idx_daily; CREATE UNIQUE INDEX idx_daily ON daily (user_id, placed, total) NULLS NOT DISTINCT",
        "DROP INDEX idx_daily; CREATE UNIQUE INDEX idx_daily ON daily (user_id) NULLS NOT DISTINCT",
        "DROP INDEX idx_daily; CREATE INDEX idx_daily ON daily (user_id, placed)",
        "DROP MATERIALIZED VIEW daily",
    ],
    "daily.idx_daily_placed": [
        "DROP INDEX idx_daily_placed; CREATE UNIQUE INDEX idx_daily_placed ON daily (placed, user_id)"
    ],
}


def test_views_are_proven(judge: Judge) -> None:
    """Joins, groups, filters, views of views, check options of either kind; a materialised one with its keys."""
    verdicts = judge(VIEWS)
    assert told(verdicts) == []
    assert set(BROKEN_VIEWS) <= set(verdicts)
    assert {i for i, v in verdicts.items() if v.rejects} >= {"living", "gold", "own", "daily.idx_daily"}


@pytest.mark.parametrize(("broken", "mutant"), mutants(BROKEN_VIEWS))
def test_a_changed_view_is_seen(judge: Judge, broken: str, mutant: str) -> None:
    """Another condition, join, aggregate, option or key gives other rows, or takes other rows."""
    assert judge(VIEWS, mutant, broken)[broken].verdict == "broken"


POLICIES = """
    CREATE TABLE tenants (id INTEGER PRIMARY KEY);
    CREATE TABLE notes (
      id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, owner TEXT NOT NULL,
      stage TEXT NOT NULL DEFAULT 'draft' CHECK (stage IN ('draft', 'public', 'gone'))
    );
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
    ALTER TABLE notes FORCE ROW LEVEL SECURITY;
    CREATE POLICY readable ON notes FOR SELECT TO {app} USING (stage = 'public' OR owner = current_user);
    CREATE POLICY drafts ON notes FOR INSERT WITH CHECK (stage = 'draft');
    CREATE POLICY edits ON notes FOR UPDATE TO {app} USING (stage = 'draft') WITH CHECK (stage <> 'gone');
    CREATE POLICY removal ON notes FOR DELETE TO {app}, {reader} USING (stage = 'draft');
    CREATE POLICY living ON notes AS RESTRICTIVE USING (stage <> 'gone');
    CREATE POLICY own_tenant ON notes TO {reader} USING (tenant = current_setting('app.tenant')::INTEGER);
    CREATE TABLE plain (id INTEGER PRIMARY KEY);
    ALTER TABLE plain ENABLE ROW LEVEL SECURITY;
    CREATE POLICY everything ON plain USING (true);
"""
BROKEN_POLICIES = {
    "notes.row_security": [
        "ALTER TABLE notes DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE notes NO FORCE ROW LEVEL SECURITY",
    ],
    "plain.row_security": ["ALTER TABLE plain FORCE ROW LEVEL SECURITY"],
    "notes.readable": [
        "ALTER POLICY readable ON notes USING (stage = 'public')",
        "ALTER POLICY readable ON notes USING (stage <> 'gone' OR owner = current_user)",
        "ALTER POLICY readable ON notes TO PUBLIC",
        "ALTER POLICY readable ON notes TO {reader}",
        "DROP POLICY readable ON notes",
        "DROP TABLE notes",
    ],
    "notes.drafts": [
        "ALTER POLICY drafts ON notes WITH CHECK (true)",
        "ALTER POLICY drafts ON notes WITH CHECK (stage = 'public')",
        "DROP POLICY drafts ON notes; CREATE POLICY drafts ON notes FOR SELECT USING (stage = 'draft')",
    ],
    "notes.edits": [
        "ALTER POLICY edits ON notes USING (true)",
        "ALTER POLICY edits ON notes WITH CHECK (true)",
    ],
    "notes.removal": ["ALTER POLICY removal ON notes USING (stage <> 'gone')"],
    "notes.living": [
        "ALTER POLICY living ON notes USING (true)",
        "DROP POLICY living ON notes; CREATE POLICY living ON notes USING (stage <> 'gone')",
    ],
    "notes.own_tenant": [
        "ALTER POLICY own_tenant ON notes USING (true)",
        "ALTER POLICY own_tenant ON notes USING (tenant <= current_setting('app.tenant')::INTEGER)",
    ],
    "plain.everything": ["DROP POLICY everything ON plain"],
}


def test_row_policies_are_proven(judge: Judge) -> None:
    """Each command, permissive and restrictive, of one role and of all, by settings and by who asks."""
    verdicts = judge(POLICIES)
    assert told(verdicts) == []
    assert {i for i, v in verdicts.items() if v.kind == "row policy"} == set(BROKEN_POLICIES)
    assert {i for i, v in verdicts.items() if v.kind == "row policy" and v.rejects} == (
        set(BROKEN_POLICIES) - {"plain.everything"}
    )


@pytest.mark.parametrize(("broken", "mutant"), mutants(BROKEN_POLICIES))
def test_a_changed_row_policy_is_seen(judge: Judge, broken: str, mutant: str) -> None:
    """Rows hidden or shown, accepted or refused, to others than was promised."""
    assert judge(POLICIES, mutant, broken)[broken].verdict == "broken"


SLUGS = """
    CREATE TABLE notes (
      id INTEGER PRIMARY KEY, slug TEXT NOT NULL, changed_at TIMESTAMPTZ, open BOOLEAN NOT NULL DEFAULT true
    );
    CREATE FUNCTION slugged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      NEW.slug = lower(regexp_replace(NEW.slug, '[^a-zA-Z0-9]+', '-', 'g'));
      NEW.changed_at = CURRENT_TIMESTAMP;
      RETURN NEW;
    END $$;
    CREATE TRIGGER slugged BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION slugged();
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
    CREATE POLICY edits ON notes FOR UPDATE TO {app} USING (open);
    CREATE POLICY adds ON notes FOR INSERT TO {app} WITH CHECK (open);
"""


def test_a_trigger_that_rewrites_rows_breaks_no_policy(judge: Judge) -> None:
    """Which rows may be written is the policy's promise, and what is stored the trigger's."""
    verdicts = judge(SLUGS)
    policies = [v for v in verdicts.values() if v.kind == "row policy"]
    assert [(v.id, v.reason, v.counterexample) for v in policies if v.verdict != "proven"] == []
    assert {v.id for v in policies} >= {"notes.edits", "notes.adds"}


def test_a_changed_policy_is_seen_beside_such_a_trigger(judge: Judge) -> None:
    """Although the trigger is off while the policy is judged."""
    found = judge(SLUGS, "ALTER POLICY edits ON notes USING (true)", "notes.edits")
    assert found["notes.edits"].verdict == "broken"
