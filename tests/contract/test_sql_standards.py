"""The documents' standards for SQL, over every file of every configured system, functions' bodies included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pgcontract.contract import read
from pgcontract.sql import Token, scan
from pgcontract.system import System
from tests.contract.fix_systems import PATHS

FILES = [
    pytest.param(path, id=f"{folder.name}/{path.relative_to(folder)}")
    for folder in PATHS
    for path in sorted(folder.rglob("*.sql"))
]
# keywords that are never names here
KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
    ADD AFTER ALL ALTER AND ANY ARRAY AS ASC BEFORE BEGIN BETWEEN BY CASCADE CASE CHECK COALESCE COLUMN CONFLICT
    CONSTRAINT CREATE CROSS DECLARE DEFAULT DEFERRABLE DELETE DESC DISTINCT DO DROP EACH ELSE END EXCEPT EXECUTE EXISTS
    EXTENSION FALSE FILTER FOR FOREIGN FROM FULL FUNCTION GRANT GREATEST GROUP HAVING ILIKE IN INDEX INITIALLY INNER
    INSERT INTERSECT INTERVAL INTO IS JOIN LATERAL LEAST LEFT LIKE LIMIT MATERIALIZED NOT NULL NULLIF NULLS OFFSET ON OR
    ORDER OVER PARTITION PRIMARY REFERENCES REFERENCING RETURNING RETURNS REVOKE RIGHT ROW SELECT SET TABLE THEN TO
    TRIGGER TRUE TRUNCATE UNION UNIQUE UPDATE USING VALUES VIEW WHEN WHERE WITH
    """,
    )
)
AFTER_AN_ORDER = frozenset(
    ["LIMIT", "OFFSET", "FETCH", "FOR", "UNION", "EXCEPT", "INTERSECT", "LOOP", "INTO", "ROWS", "RANGE", "ON"]
)
AFTER_A_FROM = AFTER_AN_ORDER | {"WHERE", "GROUP", "HAVING", "ORDER", "WINDOW", "RETURNING", "SET", "VALUES"}
OPENING, CLOSING = frozenset("(["), frozenset(")]")


def words(text: str) -> list[Token]:
    """All tokens but comments; a dollar-quoted text's own stand in its place."""
    found: list[Token] = []
    for token in scan(text):
        quoted = re.fullmatch(r"(\$\w*\$)(.*)\1", token.text, re.DOTALL)
        if quoted:
            found += words(quoted[2])
        elif token.kind not in {"SQL_COMMENT", "C_COMMENT"}:
            found.append(token)
    return found


def clauses(tokens: list[Token], begin: str, ends: frozenset[str]) -> Iterator[list[list[Token]]]:
    """What follows each ``begin`` (``ORDER BY``, ``FROM``) on its own level, cut at its commas."""
    texts = [token.text.upper() for token in tokens]
    first, *rest = begin.split()
    for start, text in enumerate(texts):
        # IS DISTINCT FROM is a comparison
        if text != first or texts[start + 1 : start + 1 + len(rest)] != rest or texts[start - 1] == "DISTINCT":
            continue
        items: list[list[Token]] = [[]]
        depth = 0
        for token in tokens[start + 1 + len(rest) :]:
            if depth == 0 and (token.text == ";" or token.text in CLOSING or token.text.upper() in ends):
                break
            depth += (token.text in OPENING) - (token.text in CLOSING)
            if depth == 0 and token.text == ",":
                items.append([])
            else:
                items[-1].append(token)
        yield items


def mistakes(text: str) -> list[str]:
    """What in a text is not as the standards ask."""
    tokens = words(text)
    found = [
        f"{t.text}: keywords are upper case" for t in tokens if t.text.upper() in KEYWORDS and not t.text.isupper()
    ]
    for before, token in pairwise(tokens):
        if token.text == "*" and before.text.upper() in {"SELECT", "DISTINCT", "RETURNING", ",", "."}:
            found.append(f"{before.text} *: columns are named")
    for items in clauses(tokens, "ORDER BY", AFTER_AN_ORDER):
        for item in items:
            end = " ".join(token.text.upper() for token in item)
            if not re.search(r"\b(ASC|DESC)( NULLS (FIRST|LAST))?$", end):
                found.append(f"ORDER BY {end}: ASC or DESC is said")
    found += [
        f"FROM …, {items[1][0].text}: joins say ON or USING"
        for items in clauses(tokens, "FROM", AFTER_A_FROM)
        if len(items) > 1
    ]
    found += ["NATURAL: joins say ON or USING" for token in tokens if token.text.upper() == "NATURAL"]
    return found


@pytest.mark.parametrize("path", FILES)
def test_sql_is_written_by_the_standards(path: Path) -> None:
    """Upper-case keywords, named columns, explicit joins, explicit order."""
    assert mistakes(path.read_text(encoding="utf-8")) == []


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
    found = mistakes(text)
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
