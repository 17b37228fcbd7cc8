"""What can be told of migrations without executing anything: names, numbers, text, standards, and squawk's rules."""

from pgcontract.migrations.lint.findings import Finding
from pgcontract.migrations.lint.validating import OFF, RULES, validate

__all__ = ["OFF", "RULES", "Finding", "validate"]
