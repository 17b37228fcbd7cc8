"""The doctor: looks a live database over, reads and changes nothing, and says what to do."""

from pgcontract.doctor.checks import Check, checks
from pgcontract.doctor.examining import Examination, examine
from pgcontract.doctor.facts import Facts, Table

__all__ = ["Check", "Examination", "Facts", "Table", "checks", "examine"]
