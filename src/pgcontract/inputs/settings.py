"""Settings that defaults, policies and functions ask for, and that no session of an empty database has."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any, Final

import psycopg
from psycopg import sql

logger = logging.getLogger("pgcontract.inputs")

_ASKED: Final = re.compile(
    r"current_setting\(\s*'(?P<name>[A-Za-z_]\w*(?:\.\w+)+)'(?:\s*::\s*text)?\s*\)(?:\s*\))*(?:\s*::\s*(?P<type>\w+))?",
    re.IGNORECASE,
)
_UUID: Final = "00000000-0000-0000-0000-000000000001"
_ONE: Final = "1"
"""What a number, a text and a boolean can be read from."""
_TEXTS: Final = """
    SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
    UNION ALL SELECT pg_get_expr(polqual, polrelid) FROM pg_policy
    UNION ALL SELECT pg_get_expr(polwithcheck, polrelid) FROM pg_policy
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgqual IS NOT NULL
    UNION ALL SELECT pg_get_viewdef(oid) FROM pg_class WHERE relkind IN ('v', 'm') AND oid >= 16384
    UNION ALL SELECT prosrc FROM pg_proc WHERE oid >= 16384 AND prokind IN ('f', 'p')
"""


def asked(texts: Iterable[str | None]) -> dict[str, str]:
    """The settings that are asked for as if they were always there, each with a value that can be read as its type."""
    found: dict[str, str] = {}
    for text in texts:
        for match in _ASKED.finditer(text or ""):
            name = match["name"].lower()
            uuid = (match["type"] or "").lower() == "uuid"
            found[name] = _UUID if uuid or found.get(name) == _UUID else _ONE
    return dict(sorted(found.items()))


def give(connection: psycopg.Connection[Any]) -> None:
    """Give the database those that it does not have. The connection must be autocommitting, and own the database."""
    texts = [row[0] for row in connection.execute(_TEXTS.encode()).fetchall()]
    for name, value in asked(texts).items():
        known = connection.execute("SELECT current_setting(%s, true)", [name]).fetchone()
        if known is not None and known[0] is not None:
            continue
        quoted = sql.SQL(".").join(sql.Identifier(part) for part in name.split("."))
        database = sql.Identifier(connection.info.dbname)
        statement = sql.SQL("ALTER DATABASE {} SET {} = {}").format(database, quoted, sql.Literal(value))
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            logger.info("%s is asked for and cannot be set here: rows that need it are unproven", name)
        else:
            logger.info("%s is asked for by the schema and set by nobody: it is %s", name, value)
