"""What the three systems are made of, from their frozen contracts: schemas, tables, types, functions."""

from __future__ import annotations

import pytest

from pgcontract.contract import promises_of, read
from pgcontract.plugin import Promised
from pgcontract.promises import promises
from pgcontract.system import System


@pytest.mark.promises("schema", "extension", "composite type", "range type", "domain")
def test_schemas_extensions_and_types(promise: Promised) -> None:
    """Each is there and holds what it was frozen with; a type's values come back as they were."""
    promise.prove()


@pytest.mark.promises("table", "storage", "generated", "identity", "sequence")
def test_tables_and_columns_that_nobody_gives(promise: Promised) -> None:
    """A row goes in, is found by the table's columns, and goes out; what is generated is as promised."""
    promise.prove()


@pytest.mark.promises("function")
def test_functions(promise: Promised) -> None:
    """Each has its promised attributes, and gives what its frozen definition gives."""
    promise.prove()


def test_every_frozen_promise_has_a_proof(system: System) -> None:
    """No kind of promise is frozen and left without a module: pytest would be green and say nothing of it."""
    catalog = read(system.contract).catalog
    covered = {id_ for id_, _ in promises(catalog)}
    assert [(id_, kind) for id_, kind, _ in promises_of(catalog) if id_ not in covered] == []
