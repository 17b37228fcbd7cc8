"""Flyway's names: versions in the order of their numbers, the newest baseline first, what is repeatable last."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pgcontract.errors import MigrationError

_NAME: Final = re.compile(r"(?P<kind>[VB])(?P<version>[0-9]+(?:[._][0-9]+)*)__.*\.sql")
_REPEATABLE: Final = re.compile(r"R__(?P<description>.*)\.sql")


def is_flyways(folder: Path) -> bool:
    """Whether the folder, or one in it, has files that Flyway would run; it is not looked through further."""
    found = (path for pattern in ("[VBR]*__*.sql", "*/[VBR]*__*.sql") for path in folder.glob(pattern))
    return any(_NAME.fullmatch(path.name) or _REPEATABLE.fullmatch(path.name) for path in found)


def flyway_files(folder: Path) -> list[Path]:
    """The files that Flyway would run on an empty database, in its order; it looks into folders within, too.

    Raises MigrationError where two have one version.
    """
    versions: dict[tuple[str, tuple[int, ...]], Path] = {}
    repeatable = []
    for path in sorted(folder.rglob("[VBR]*.sql")):
        if match := _NAME.fullmatch(path.name):
            key = match["kind"], _version(match["version"])
            if key in versions:
                raise MigrationError(
                    "Two migrations have the same version",
                    where=f"{versions[key]} and {path}",
                    remedy="give one of them another version",
                )
            versions[key] = path
        elif match := _REPEATABLE.fullmatch(path.name):
            repeatable.append((match["description"], path))
    baselines = [version for kind, version in versions if kind == "B"]
    since = max(baselines, default=())
    first = [versions["B", since]] if baselines else []
    rest = [versions[kind, version] for kind, version in sorted(versions) if kind == "V" and version > since]
    return [*first, *rest, *(path for _, path in sorted(repeatable))]


def _version(text: str) -> tuple[int, ...]:
    """Its numbers; 1.0 is 1."""
    numbers = [int(number) for number in re.split("[._]", text)]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
