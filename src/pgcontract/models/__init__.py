"""Typed row classes for a schema: from a catalog to Python source. No I/O."""

from __future__ import annotations

from pgcontract.models.source import source

__all__ = ["source"]
