"""docs/scaling.md: its tables speak of every unique key and every foreign key, and say *kept* where a rule says so."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pgcontract.contract import read
from pgcontract.model import ForeignKey, Table
from pgcontract.system import System
from tests.contract.fix_systems import ROOT

PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
# tables of which every node has all rows
REFERENCE = {"messenger": {"users", "contacts", "user_sessions"}, "optimizer": {"plans"}}
# whose own key is what the others are distributed by
OWN = {("social_selling", "users"): "id", ("messenger", "chats"): "id"}


def told(system: str) -> tuple[str, dict[str, tuple[str, str]]]:
    """By what a system is distributed; and of each key, its columns and what becomes of it."""
    heading = re.search(rf"^#### {system} by (\w+)$(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert heading is not None
    rows = re.findall(r"^\| (\w+\.\w+) \| (.+?) \| (.+?) \|$", heading[2], re.MULTILINE)
    assert len({name for name, _, _ in rows}) == len(rows)
    return heading[1], {name: (of, becomes) for name, of, becomes in rows}


def keys(table: Table) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Its unique keys and unique indexes, by name."""
    yield from ((key.name, key.columns) for key in table.keys)
    yield from ((i.name, tuple(k.column or k.expression for k in i.keys)) for i in table.indexes if i.unique)


def followed(fk: ForeignKey, here: str, there: str) -> bool:
    """Whether both sides stand on one shard, and nothing is asked of the key that is refused for such."""
    together = dict(zip(fk.columns, fk.keys, strict=True)).get(here) == there
    return together and not fk.on_delete.startswith("SET") and fk.on_update != "CASCADE"


@pytest.fixture
def tables(system: System) -> list[Table]:
    """Those of the contract."""
    return list(read(system.contract).catalog.tables)


def test_every_key_is_in_the_table_with_its_columns(system: System, tables: list[Table]) -> None:
    """None is forgotten, and none is there that the contract has not."""
    _, rows = told(system.name)
    expected = {f"{t.name.name}.{name}": ", ".join(columns) for t in tables for name, columns in keys(t)}
    for t in tables:
        for fk in t.foreign_keys:
            expected[f"{t.name.name}.{fk.name}"] = f"{', '.join(fk.columns)} → {fk.references.name}"
    assert {name: of for name, (of, _) in rows.items()} == expected


def test_kept_is_what_contains_the_column_and_nothing_else(system: System, tables: list[Table]) -> None:
    """A unique key that contains it, a foreign key that leads to the same shard or to a reference table."""
    by, rows = told(system.name)
    reference = REFERENCE.get(system.name, set())
    kept = set()
    for table in tables:
        name = table.name.name
        column = OWN.get((system.name, name), by)
        kept |= {f"{name}.{key}" for key, columns in keys(table) if name in reference or column in columns}
        for fk in table.foreign_keys:
            there = fk.references.name
            # what a reference table refers to must be one, too
            assert name not in reference or there in reference
            if there in reference or followed(fk, column, OWN.get((system.name, there), by)):
                kept.add(f"{name}.{fk.name}")
    assert {name for name, (_, becomes) in rows.items() if becomes.startswith("kept")} == kept
    others = [becomes for _, becomes in rows.values() if not becomes.startswith("kept")]
    assert all(re.match(r"with `\w+`$|\*\*lost\*\*: ", becomes) for becomes in others)
