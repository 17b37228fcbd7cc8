"""Mutation analysis: every small way to break a schema, and whether the proofs notice it by behaviour."""

from __future__ import annotations

from pgcontract.mutation.choosing import Plan, chosen
from pgcontract.mutation.result import Judged, Result, Score
from pgcontract.mutation.running import Analyst, mutate

__all__ = ["Analyst", "Judged", "Plan", "Result", "Score", "chosen", "mutate"]
