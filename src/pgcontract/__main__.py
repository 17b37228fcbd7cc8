"""``python -m pgcontract``."""

from pgcontract.cli import main

main()
