"""A live database, read into the model: one set-based query for each concept, one snapshot, nothing written."""

from __future__ import annotations

from pgcontract.catalog.examples import with_examples
from pgcontract.catalog.reading import read_catalog

__all__ = ["read_catalog", "with_examples"]
