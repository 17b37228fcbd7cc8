"""Fixtures of the whole suite; those of one room stand in its ``fix_*.py``."""

from __future__ import annotations

pytest_plugins = ["pytester"]
