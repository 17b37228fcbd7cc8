"""Schemas as text, judged in this process: what they promise, after some DDL was done to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.model import Verdict
from pgcontract.promises import promises
from pgcontract.prover import Prover
from pgcontract.rows.worlds import Worlds
from pgcontract.server import Server, Template
from pgcontract.session import Session


def template(server: Server, schema: str) -> str:
    """A template database with the schema in it, made once."""

    def apply(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(schema)

    return server.template(Template(f"tests: {schema}", apply))


def judged(server: Server, name: str, ddl: str = "", only: str | None = None) -> list[Verdict]:
    """Freeze a clone of the template, do some DDL to it, and judge it; ``only``: one promise by its id."""
    with server.clone(name) as clone:
        connection = psycopg.connect(clone.dsn, autocommit=True)
        frozen = read_catalog(connection)
        if ddl:
            connection.execute(ddl)
        live = read_catalog(connection)
        session = Session(connection)
        try:
            prover = Prover(session, Worlds(live, session, hush=True), examples=10)
            return [prover.verdict(promise) for id_, promise in promises(frozen) if only in (None, id_)]
        finally:
            session.close()


def sampled(names: Iterable[str], each: int = 6) -> list[Any]:
    """Parameters of which every ``each``-th is tried in every run, and the others where thorough tests are."""
    return [
        pytest.param(name, id=name, marks=() if number % each == 0 else pytest.mark.thorough)
        for number, name in enumerate(names)
    ]
