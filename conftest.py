"""Fixtures of the whole suite; those of one room stand in its ``fix_*.py``."""

from __future__ import annotations

pytest_plugins = [
    "pytester",
    # first: the others use it
    "tests.integration.fix_server",
    "tests.contract.fix_systems",
    "tests.contract.fix_messenger",
    "tests.contract.fix_optimizer",
    "tests.integration.fix_catalog",
    "tests.integration.fix_migrations",
    "tests.contract.fix_social_selling",
    "tests.contract.fix_exploring",
    "tests.integration.fix_values",
]
