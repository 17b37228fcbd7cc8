"""Flyway's names: versions in the order of their numbers, the newest baseline first, what is repeatable last.

Files that it runs before and after all of them are callbacks; those that it runs more often than once are refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pgcontract.errors import MigrationError

_NAME: Final = re.compile(r"(?P<kind>[VB])(?P<version>[0-9]+(?:[._][0-9]+)*)__.*\.sql")
_CALLBACK: Final = re.compile(r"(?P<event>(?:before|after)[A-Z][A-Za-z]*)(?:__.*)?\.sql")
_REPEATABLE: Final = re.compile(r"R__(?P<description>.*)\.sql")


def is_flyways(folder: Path) -> bool:
    """Whether the folder, or one in it, has files that Flyway would run; it is not looked through further."""
    found = (path for pattern in ("[VBR]*__*.sql", "*/[VBR]*__*.sql") for path in folder.glob(pattern))
    return any(_NAME.fullmatch(path.name) or _REPEATABLE.fullmatch(path.name) for path in found)


def flyway_files(folder: Path) -> list[Path]:
    """The files that Flyway would run on an empty database, in its order; it looks into folders within, too.

    Raises MigrationError where two have one version, and for a callback that runs between them.
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
    before, after = _callbacks(folder)
    return [*before, *first, *rest, *(path for _, path in sorted(repeatable)), *after]


def _callbacks(folder: Path) -> tuple[list[Path], list[Path]]:
    before, after = [], []
    for path in sorted([*folder.rglob("before*.sql"), *folder.rglob("after*.sql")]):
        match = _CALLBACK.fullmatch(path.name)
        if match is None:
            continue
        if match["event"] == "beforeMigrate":
            before.append(path)
        elif match["event"] == "afterMigrate":
            after.append(path)
        elif "Migrate" in match["event"] or "Versioned" in match["event"] or "Repeatables" in match["event"]:
            raise MigrationError(
                "Flyway runs this file at a time of its own",
                where=str(path),
                seen=match["event"],
                remedy='let Flyway apply it: apply = "flyway migrate" in system.toml',
            )
    return before, after


def _version(text: str) -> tuple[int, ...]:
    """Its numbers; 1.0 is 1."""
    numbers = [int(number) for number in re.split("[._]", text)]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
