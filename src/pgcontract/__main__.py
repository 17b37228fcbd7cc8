"""``python -m pgcontract``."""

from pgcontract.cli import program

program()
