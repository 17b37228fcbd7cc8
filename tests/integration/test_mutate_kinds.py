"""Mutation analysis of views, privileges, row policies, sequences and the schema's own types: nothing stays alive."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pgcontract.contract import Contract
from pgcontract.ephemeral import Stage
from pgcontract.mutation import Plan, Result, mutate
from pgcontract.promises import promises
from pgcontract.promises.base import Mutable, Roled
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.system import System
from tests.integration.judging import template
from tests.integration.test_kinds_access import LATER, POLICIES, SHOP, VIEWS
from tests.integration.test_kinds_plain import SCHEMA

KINDS = (
    *("privilege", "default privilege", "view", "materialised view", "unique index", "row policy"),
    *("sequence", "domain", "composite type", "range type"),
)
OPERATORS = {
    "privileges": {"grant_more", "revoke", "drop_view", "rename_column"},
    "default privileges": {"grant_more", "revoke"},
    "views": {
        *("drop_view", "change_view", "rename_column", "toggle_security_invoker", "drop_security_barrier"),
        *("drop_check_option", "change_check_option", "add_check_option", "drop_key_column", "toggle_nulls_distinct"),
    },
    "policies": {
        *("drop_policy", "change_command", "change_roles", "toggle_permissive", "drop_condition", "drop_check"),
        *("disable_row_security", "toggle_force", "replace_operator"),
    },
    "types": {
        *("change_start", "change_increment", "change_cache", "change_type", "toggle_cycle", "drop_sequence"),
        *("widen_type", "narrow_type", "drop_default", "add_attribute", "drop_attribute", "rename_attribute"),
        *("rename_multirange", "drop_range", "relax_bound", "tighten_bound"),
    },
}
WRITTEN = """
    CREATE TABLE orders (id SERIAL PRIMARY KEY, total INTEGER NOT NULL, region TEXT NOT NULL DEFAULT 'north');
    CREATE VIEW small WITH (security_barrier) AS SELECT id, total, region FROM orders WHERE total < 100;
    CREATE VIEW northern AS SELECT id, total, region FROM small WHERE region = 'north' WITH LOCAL CHECK OPTION;
    CREATE DOMAIN tag AS VARCHAR(4) DEFAULT 'none' CONSTRAINT chk_tag CHECK (VALUE ~ '^[a-z]+$');
    CREATE TABLE tags (id INTEGER PRIMARY KEY, tag tag NOT NULL);
"""
SCHEMAS = {
    "privileges": SHOP,
    "default privileges": LATER,
    "views": VIEWS,
    "policies": POLICIES,
    "types": SCHEMA,
    "written": WRITTEN,
}


@pytest.fixture(scope="module")
def roles(pgcontract_server: Server) -> Mapping[str, str]:
    """Roles of this run, by the names that contracts know them by."""
    names = {name: f"pgcontract_test_{name}_{secrets.token_hex(4)}" for name in ("app", "reader", "group")}
    with psycopg.connect(pgcontract_server.address.dsn(), autocommit=True) as connection:
        for name in names.values():
            connection.execute(f"CREATE ROLE {name}")
    # the templates hold privileges of theirs: both go with the server
    return names


def stage(server: Server, schema: str, roles: Mapping[str, str], folder: Path) -> Stage:
    """A system of one file, in which ``{app}`` and the like stand for this run's roles."""
    # a clone has privileges on the database of its own
    text = "\n".join(line for line in schema.splitlines() if "{database}" not in line)
    for name, live in roles.items():
        text = text.replace(f"{{{name}}}", live)
    file = folder / "schema.sql"
    file.write_text(text)
    return Stage(
        replace(System.load(file), roles={name: name for name in roles}), server, template(server, text), roles
    )


def mutated(made: Stage) -> Result:
    """All mutants of the kinds that this file is about."""
    contract = Contract("kinds", made.read_catalog())
    return mutate(made, contract, Plan(kinds=KINDS, examples=10, workers=1))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "policies" else pytest.mark.thorough) for n in SCHEMAS]
)
def test_every_mutant_is_killed_by_its_own_promise(
    name: str, pgcontract_server: Server, roles: Mapping[str, str], tmp_path: Path
) -> None:
    """By what the database does, not by what its catalog says; few are equivalent, and a rule says why."""
    result = mutated(stage(pgcontract_server, SCHEMAS[name], roles, tmp_path))
    assert [(j.id, j.fate, j.reason) for j in result.of("survived", "killed by drift only")] == []
    assert {j.operator for j in result.judged} >= OPERATORS.get(name, set())
    killed = result.of("killed by proof")
    assert [(j.id, j.killer) for j in killed if j.killer != j.promise] == []
    assert all(j.evidence for j in killed)
    assert len(result.of("equivalent")) <= max(1, len(result.judged) / 12)
    assert all(j.reason for j in result.of("equivalent"))


@pytest.mark.thorough
@pytest.mark.parametrize("name", list(SCHEMAS))
def test_every_mutant_is_rolled_back(
    name: str, pgcontract_server: Server, roles: Mapping[str, str], tmp_path: Path
) -> None:
    """After each of them the catalog is what it was, also inside the same session."""
    made = stage(pgcontract_server, SCHEMAS[name], roles, tmp_path)
    with made.clone() as clone:
        connection = psycopg.connect(clone.dsn, autocommit=True)
        sound = made.catalog(connection)
        session = Session(connection)
        tried = 0
        for _, promise in promises(sound):
            live = promise.of_roles(roles) if isinstance(promise, Roled) else promise
            if promise.kind in KINDS and isinstance(live, Mutable):
                for mutant in live.mutants(sound):
                    tried += session.alter(mutant.ddl) is None
                    session.alter(())
        assert session.within(made.catalog) == sound
        session.close()
    assert tried > len(OPERATORS.get(name, ()))


def test_a_privilege_for_everybody_is_noticed_by_somebody_else(
    pgcontract_server: Server, roles: Mapping[str, str], tmp_path: Path
) -> None:
    """What the grantee may do anyway: a stranger does it."""
    made = stage(
        pgcontract_server,
        "CREATE TABLE notes (id INTEGER PRIMARY KEY); GRANT SELECT ON notes TO {app}",
        roles,
        tmp_path,
    )
    result = mutate(made, Contract("notes", made.read_catalog()), Plan(kinds=("privilege",), workers=1))
    (open_,) = [j for j in result.judged if j.what == "SELECT to PUBLIC"]
    assert open_.fate == "killed by proof"
    assert result.score == 1.0


MATERIALIZED = """
    CREATE TABLE facts (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, at TIMESTAMPTZ NOT NULL, amount NUMERIC NOT NULL);
    CREATE MATERIALIZED VIEW daily AS
      SELECT kind, (at AT TIME ZONE 'UTC')::DATE AS day, sum(amount) AS total, avg(amount) AS mean
      FROM facts GROUP BY kind, (at AT TIME ZONE 'UTC')::DATE;
    CREATE UNIQUE INDEX idx_daily ON daily (kind, day);
    GRANT SELECT ON daily TO {app};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT DELETE ON TABLES TO {app};
"""


@pytest.mark.thorough
def test_a_materialised_view_that_is_made_anew_differs_in_its_rows_alone(
    pgcontract_server: Server, roles: Mapping[str, str], tmp_path: Path
) -> None:
    """Its indexes and privileges are what they were: no other promise is broken by the way of changing it."""
    made = stage(pgcontract_server, MATERIALIZED, roles, tmp_path)
    with made.clone() as clone:
        connection = psycopg.connect(clone.dsn, autocommit=True)
        sound = made.catalog(connection)
        session = Session(connection)
        (shown,) = [p for _, p in promises(sound) if p.kind == "materialised view"]
        assert isinstance(shown, Mutable)
        several = [m for m in shown.mutants(sound) if m.operator == "change_view"]
        assert len(several) >= 3
        for mutant in several:
            assert session.alter(mutant.ddl) is None
            live = session.within(made.catalog)
            assert replace(live, views=()) == replace(sound, views=())
            assert live.views[0].indexes == sound.views[0].indexes
            assert live.views != sound.views
        session.close()
    assert mutated(made).score == 1.0


BESIDE = """
    CREATE TABLE counters (kind TEXT NOT NULL, total INTEGER NOT NULL);
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, CONSTRAINT uq_accounts UNIQUE (id, owner));
    CREATE TABLE messages (id INTEGER PRIMARY KEY, kind TEXT NOT NULL);
    CREATE TABLE attachments (
      id INTEGER PRIMARY KEY,
      message_id INTEGER CONSTRAINT fk_message REFERENCES messages (id) ON DELETE CASCADE
    );
    CREATE TABLE tokens (
      id INTEGER PRIMARY KEY, account INTEGER NOT NULL CONSTRAINT uq_tokens UNIQUE, owner INTEGER NOT NULL,
      CONSTRAINT fk_account FOREIGN KEY (account, owner) REFERENCES accounts (id, owner)
    );
    CREATE FUNCTION count_it() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO public.counters (kind, total) VALUES (NEW.kind, 1); RETURN NULL; END $$;
    CREATE TRIGGER count_it AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION count_it();
"""


@pytest.mark.parametrize(
    ("id_", "what"),
    [
        ("messages.kind.not_null", "drop_not_null kind"),
        ("attachments.fk_message.on_delete", "change_on_delete fk_message to SET NULL"),
        ("tokens.uq_tokens", "add_key_column uq_tokens with owner"),
    ],
)
def test_what_something_else_seemed_to_keep_is_noticed(
    id_: str, what: str, pgcontract_server: Server, roles: Mapping[str, str], tmp_path: Path
) -> None:
    """A column of the same name elsewhere, a child that stays without its parent, a key that a parent's key implies."""
    made = stage(pgcontract_server, BESIDE, roles, tmp_path)
    result = mutate(made, Contract("beside", made.read_catalog()), Plan(only=(id_,), examples=5, workers=1))
    (judged,) = [j for j in result.judged if f"{j.operator} {j.what}" == what]
    assert (judged.fate, judged.killer) == ("killed by proof", id_)
