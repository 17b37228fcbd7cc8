"""Migration files, and the runner that applies and undoes them."""

from pgcontract.migrations.apply import prepare, runner_of, seed
from pgcontract.migrations.runner import Entry, Event, Result, Runner, Status
from pgcontract.migrations.session import MigrationFailed

__all__ = ["Entry", "Event", "MigrationFailed", "Result", "Runner", "Status", "prepare", "runner_of", "seed"]
