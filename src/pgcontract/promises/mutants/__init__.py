"""Mutants: small changes of a schema that break one promise each, as DDL. No I/O.

Each kind of promise makes its own (``Promise.mutants``); here is what several of them share.
"""

from __future__ import annotations

from pgcontract.promises.mutants.base import Detour, Mutant

__all__ = ["Detour", "Mutant"]
