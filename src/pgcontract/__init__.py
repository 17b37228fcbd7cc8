"""Proves that a PostgreSQL schema keeps its promises."""
