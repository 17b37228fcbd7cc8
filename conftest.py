"""Fixtures of the whole suite; those of one room stand in its ``fix_*.py``."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=25)
settings.register_profile("thorough", max_examples=100)

pytest_plugins = [
    "pytester",
    # first: the others use it
    "tests.integration.fix_server",
    "tests.integration.fix_database",
    "tests.contract.fix_systems",
    "tests.contract.fix_messenger",
    "tests.contract.fix_optimizer",
    "tests.integration.fix_catalog",
    "tests.integration.fix_migrations",
    "tests.contract.fix_social_selling",
    "tests.contract.fix_exploring",
    "tests.integration.fix_values",
    "tests.browser.fix_browser",
]


def pytest_configure(config: pytest.Config) -> None:
    """Draw fewer examples in runs that leave the thorough tests out."""
    # before any test module is imported: @settings takes what it is not told from the profile
    settings.load_profile("quick" if "not thorough" in config.getoption("-m") else "thorough")
