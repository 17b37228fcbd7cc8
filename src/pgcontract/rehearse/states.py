"""What a database holds besides rows: its catalog, and what no contract speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import psycopg

from pgcontract.catalog import read_catalog
from pgcontract.contract import drift, headlines
from pgcontract.model import Catalog
from pgcontract.system import System


@dataclass(frozen=True, slots=True)
class State:
    """``others`` are the things that contracts leave out: (what it is, its name, what it says)."""

    catalog: Catalog
    others: frozenset[tuple[str, str, str]]


def read_state(dsn: str, system: System) -> State:
    """Read it in sessions of its own, which are closed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        catalog = read_catalog(connection, ignore=[system.tracking_table])
        found = connection.execute(_query()).fetchall()
    return State(catalog, frozenset((kind, name, said or "") for kind, name, said in found))


def differences(was: State, now: State) -> tuple[str, ...]:
    """How one state differs from another, a line each; empty exactly where they are equal."""
    told = [str(one) for one in headlines(drift(was.catalog, now.catalog))]
    if not told and was.catalog != now.catalog:
        told = ["the catalogs differ in what no promise tells"]
    names = {(kind, name) for kind, name, _ in was.others ^ now.others}
    before = {(kind, name): said for kind, name, said in was.others}
    after = {(kind, name): said for kind, name, said in now.others}
    for key in sorted(names):
        kind, name = key
        what = "changed" if key in before and key in after else "was added" if key in after else "was dropped"
        told.append(f"{name}: the {kind} {what}")
    return tuple(told)


@cache
def _query() -> bytes:
    return (files("pgcontract.rehearse") / "others.sql").read_bytes()
