"""Where a result comes from: when it was made, and of which commit. What every result for programs begins with."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_PATIENCE: Final = 10


@dataclass(frozen=True, slots=True)
class Provenance:
    """``date`` is the run's, in UTC; ``commit`` the repository's that holds the system, with ``+`` where files differ.

    ``commit`` is None outside of git repositories.
    """

    date: str
    commit: str | None = None

    def heading(self, command: str) -> dict[str, Any]:
        """The first fields of a result for programs."""
        return {"command": command, "date": self.date, "commit": self.commit}


def provenance(path: Path | None) -> Provenance:
    """Of a run that begins now, of what stands at the path."""
    return Provenance(datetime.now(UTC).isoformat(timespec="seconds"), None if path is None else _commit(path))


def _commit(path: Path) -> str | None:
    inside = path if path.is_dir() else path.parent
    head = _git(inside, "rev-parse", "--short=12", "HEAD")
    if not head:
        return None
    return head + ("+" if _git(inside, "status", "--porcelain", "--", str(path.resolve())) else "")


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where there is no git, no repository or no commit: a result is as good without."""
    program = shutil.which("git")
    if program is None or not folder.is_dir():
        return None
    try:
        done = subprocess.run(
            [program, "-C", str(folder), *arguments], capture_output=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
