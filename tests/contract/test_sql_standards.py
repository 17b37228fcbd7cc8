"""The documents' standards for SQL, over every file of every configured system, functions' bodies included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pgcontract.contract import read
from pgcontract.migrations.lint.wording import mistakes
from pgcontract.system import System
from tests.contract.fix_systems import PATHS

FILES = [
    pytest.param(path, id=f"{folder.name}/{path.relative_to(folder)}")
    for folder in PATHS
    for path in sorted(folder.rglob("*.sql"))
]


@pytest.mark.parametrize("path", FILES)
def test_sql_is_written_by_the_standards(path: Path) -> None:
    """Upper-case keywords, named columns, explicit joins, explicit order."""
    assert mistakes(path.read_text(encoding="utf-8")) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select id FROM users", "select: keywords"),
        ("DO $$ BEGIN perform 1; if TRUE THEN NULL; END IF; END $$", None),
        ("DO $$ BEGIN PERFORM 1; EXECUTE 'x' into y; END $$", "into: keywords"),
        ("SELECT * FROM users", "SELECT *"),
        ("SELECT u.* FROM users AS u", ". *"),
        ("SELECT COUNT(*), 2 * 3 FROM users", None),
        ("SELECT id FROM users ORDER BY id", "ORDER BY ID"),
        ("SELECT id FROM users ORDER BY lower(a, b) ASC NULLS LAST, id LIMIT 3", "ORDER BY ID"),
        ("SELECT array_agg(a ORDER BY a ASC), b FROM users", None),
        ("SELECT a FROM users, products WHERE users.id = products.user_id", "FROM …, products"),
        ("SELECT a IS DISTINCT FROM b, c FROM users", None),
        ("SELECT (SELECT max(a) FROM users), extract(day FROM b) FROM users JOIN c USING (d)", None),
        ("SELECT a FROM users NATURAL JOIN c", "NATURAL"),
        ("SELECT '-- select *', \"select\" -- order by x\nFROM users", None),
    ],
)
def test_every_standard_can_be_broken(text: str, said: str | None) -> None:
    """And what only looks like a mistake is none."""
    found = [mistake.message for mistake in mistakes(text)]
    assert (found == []) if said is None else any(one.startswith(said) for one in found)


def test_columns_have_the_types_of_the_standards(system: System) -> None:
    """TEXT, TIMESTAMPTZ, NUMERIC and JSONB, never their lesser kin."""
    lesser = re.compile(r"character|timestamp( without.*)?$|time |money|real|double|json$|xml")
    tables = read(system.contract).catalog.tables
    assert tables
    assert [f"{t.name}.{c.name} {c.type}" for t in tables for c in t.columns if lesser.match(c.type)] == []


def test_names_are_snake_case(system: System) -> None:
    """Of tables, columns, constraints, indexes and triggers: no name needs quotes."""
    catalog = read(system.contract).catalog
    names = [*(t.name.name for t in catalog.tables), *(v.name.name for v in catalog.views)]
    for table in catalog.tables:
        names += [column.name for column in table.columns]
        names += [constraint.name for constraint in table.keys]
        names += [constraint.name for constraint in table.checks]
        names += [constraint.name for constraint in table.foreign_keys]
        names += [index.name for index in table.indexes]
        names += [trigger.name for trigger in table.triggers]
    assert len(names) > len(catalog.tables)
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
