"""Migration files, and the runner that applies and undoes them.

What is named here is imported when it is asked for: `status` at every deployment needs little of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pgcontract.migrations.apply import prepare, refuse_production, runner_of, seed
    from pgcontract.migrations.mending import Adopted, Cleared
    from pgcontract.migrations.results import Entry, Event, Override, Result, Status
    from pgcontract.migrations.runner import Runner
    from pgcontract.migrations.sending import MigrationFailed

__all__ = [
    "Adopted",
    "Cleared",
    "Entry",
    "Event",
    "MigrationFailed",
    "Override",
    "Result",
    "Runner",
    "Status",
    "prepare",
    "refuse_production",
    "runner_of",
    "seed",
]

_PLACES: Final = {
    "apply": ("prepare", "refuse_production", "runner_of", "seed"),
    "mending": ("Adopted", "Cleared"),
    "results": ("Entry", "Event", "Override", "Result", "Status"),
    "runner": ("Runner",),
    "sending": ("MigrationFailed",),
}


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
