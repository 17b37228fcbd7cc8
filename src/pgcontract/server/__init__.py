"""PostgreSQL servers: found, installed, started, shared; template databases and clones of them.

Importing this package loads nothing but itself; a name's module is loaded when the name is first asked for, because
pytest imports the plugin, and with it this package, in every run of every project that has it installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgcontract.server.address import Address
    from pgcontract.server.attaching import attach
    from pgcontract.server.databases import Clone, Template
    from pgcontract.server.finding import find_all, find_binaries
    from pgcontract.server.installing import install
    from pgcontract.server.servers import Server
    from pgcontract.server.starting import start
    from pgcontract.server.versions import DEFAULT_MAJOR, EXTENSIONS, SUPPORTED, Binaries

__all__ = [
    "DEFAULT_MAJOR",
    "EXTENSIONS",
    "SUPPORTED",
    "Address",
    "Binaries",
    "Clone",
    "Server",
    "Template",
    "attach",
    "find_all",
    "find_binaries",
    "install",
    "start",
]

_HOMES = {
    "Address": "address",
    "attach": "attaching",
    "Binaries": "versions",
    "Clone": "databases",
    "DEFAULT_MAJOR": "versions",
    "EXTENSIONS": "versions",
    "find_all": "finding",
    "find_binaries": "finding",
    "install": "installing",
    "Server": "servers",
    "start": "starting",
    "SUPPORTED": "versions",
    "Template": "databases",
}


def __getattr__(name: str) -> Any:
    """Load the module that a public name lives in."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
