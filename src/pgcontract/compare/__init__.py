"""Comparison: two majors, commits or folders timed in turns, or two records of benchmarks; faster, slower or same.

What needs no server is here; ``compare.sides`` and ``compare.systems`` are for those that have one.
"""

from __future__ import annotations

from pgcontract.compare.benchmarks import compare_benchmarks
from pgcontract.compare.pairing import Pair, Timed, compared
from pgcontract.compare.result import Compared, Result
from pgcontract.compare.statistics import Block, Estimate, Verdict, paired, unpaired

__all__ = [
    "Block",
    "Compared",
    "Estimate",
    "Pair",
    "Result",
    "Timed",
    "Verdict",
    "compare_benchmarks",
    "compared",
    "paired",
    "unpaired",
]
