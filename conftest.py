"""Fixtures of the whole suite; those of one room stand in its ``fix_*.py``."""

from __future__ import annotations

pytest_plugins = [
    "pytester",
    # first: the others use it
    "tests.integration.fix_server",
    "tests.integration.fix_catalog",
    "tests.integration.fix_migrations",
    "tests.integration.fix_values",
]
