"""What EXPLAIN says, as frozen data; whether a plan keeps its promise; and how few pages it could do with. No I/O."""

from __future__ import annotations

from pgcontract.plans.bounds import Bound, Facts, IndexFacts, TableFacts, bound_of
from pgcontract.plans.judging import LARGE, Promised, broken
from pgcontract.plans.tree import Node, Plan, PlanError, read_plan

__all__ = [
    "LARGE",
    "Bound",
    "Facts",
    "IndexFacts",
    "Node",
    "Plan",
    "PlanError",
    "Promised",
    "TableFacts",
    "bound_of",
    "broken",
    "read_plan",
]
