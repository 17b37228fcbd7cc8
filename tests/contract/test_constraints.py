"""What the three systems' constraints promise, from their frozen contracts."""

from __future__ import annotations

import pytest

from pgcontract.plugin import Promised


@pytest.mark.promises("column type", "enum")
def test_types(promise: Promised) -> None:
    """Boundary and drawn values, and an enum's labels, come back as they were; what is no value is refused."""
    promise.prove()


@pytest.mark.promises("not null", "null allowed", "default")
def test_nulls_and_defaults(promise: Promised) -> None:
    """NULL is refused where that is promised and stored where it is not; what is left out gets its default."""
    promise.prove()


@pytest.mark.promises("check")
def test_checks(promise: Promised) -> None:
    """Each way to satisfy a CHECK is accepted, and each of its conditions can refuse a row alone."""
    promise.prove()


@pytest.mark.promises("primary key", "unique", "unique index")
def test_keys(promise: Promised) -> None:
    """A second row with the same key is refused, one that differs in a key column is not."""
    promise.prove()


@pytest.mark.promises("foreign key")
def test_foreign_keys(promise: Promised) -> None:
    """A parent must be there, unless the key is NULL."""
    promise.prove()
