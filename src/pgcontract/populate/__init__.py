"""Bulk rows: a schema's tables are filled by the server itself, every constraint and invariant kept."""

from pgcontract.populate.amounts import Plan, PopulateError
from pgcontract.populate.checking import InvariantBroken, asking, fits
from pgcontract.populate.filling import populate
from pgcontract.populate.overrides import Overrides
from pgcontract.populate.room import NoRoom

__all__ = ["InvariantBroken", "NoRoom", "Overrides", "Plan", "PopulateError", "asking", "fits", "populate"]
