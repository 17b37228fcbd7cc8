"""Invariants: queries that must return no row, whatever valid changes have been made."""

from __future__ import annotations

from pgcontract.invariants.exploring import Explored, merged
from pgcontract.invariants.files import Invariant, InvariantError, invariants_of
from pgcontract.invariants.proving import Exploration, verdicts
from pgcontract.invariants.reach import Reach

__all__ = ["Exploration", "Explored", "Invariant", "InvariantError", "Reach", "invariants_of", "merged", "verdicts"]
