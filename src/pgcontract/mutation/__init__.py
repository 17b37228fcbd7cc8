"""Mutation analysis: every small way to break a schema, and whether the proofs notice it by behaviour."""

from __future__ import annotations

from pgcontract.mutation.result import Judged, Result
from pgcontract.mutation.running import Plan, mutate

__all__ = ["Judged", "Plan", "Result", "mutate"]
