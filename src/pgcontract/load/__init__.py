"""A system's transactions at a rate: started when they are due, whether the server keeps up or not."""

from __future__ import annotations

from pgcontract.load.figures import Figures, Summary, summary
from pgcontract.load.limit import Tried, highest
from pgcontract.load.measuring import Target, ready
from pgcontract.load.workload import LoadError, Workload, workload_of

__all__ = [
    "Figures",
    "LoadError",
    "Summary",
    "Target",
    "Tried",
    "Workload",
    "highest",
    "ready",
    "summary",
    "workload_of",
]
