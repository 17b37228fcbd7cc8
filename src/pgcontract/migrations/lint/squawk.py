"""Squawk, the linter for PostgreSQL migrations: what would block a table in production."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pgcontract.errors import UsageError
from pgcontract.migrations.files import Migration

# the oldest server that is supported
_SERVER: Final = "15.0"
_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Warned:
    """What squawk says. ``line`` counts from 1."""

    rule: str
    line: int
    message: str
    help: str


def warnings(migration: Migration, *, excluded: Collection[str], included: Collection[str]) -> tuple[Warned, ...]:
    """What squawk finds in what ``up`` runs. Raises UsageError where squawk is not there, or knows no such rule."""
    command = [binary(), "--config", "/dev/null", "--pg-version", _SERVER, "--reporter", "json"]
    command += ["--assume-in-transaction"] if migration.transactional else []
    command += [f"--exclude={rule}" for rule in sorted(excluded)] + [f"--include={rule}" for rule in sorted(included)]
    ran = subprocess.run(
        [*command, "--stdin-filepath", migration.path.name],
        input=migration.up.encode(),
        capture_output=True,
        check=False,
        timeout=_SECONDS,
    )
    try:
        found = json.loads(ran.stdout)
    except ValueError:
        raise UsageError(
            "squawk did not run",
            where=str(migration.path),
            seen=(ran.stderr.decode(errors="replace").strip().splitlines() or ["nothing"])[0],
            remedy="correct [validate.squawk] in system.toml",
        ) from None
    return tuple(
        Warned(one["rule_name"], one["line"] + 1, one["message"].strip(), (one["help"] or "").strip()) for one in found
    )


def binary() -> str:
    """The program, beside this Python or on the path. Raises UsageError."""
    beside = Path(sys.executable).parent / "squawk"
    found = str(beside) if beside.is_file() else shutil.which("squawk")
    if found is None:
        raise UsageError(
            "squawk is not installed",
            remedy='install the package squawk-cli, or write `squawk = "why"` into [validate] of system.toml',
        )
    return found
