"""Somebody's repository: where its schema is, and the configuration that says so. Nothing that is there is changed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pgcontract.contract import toml
from pgcontract.errors import MigrationError, UsageError
from pgcontract.inputs.conventions import OWN, PLAIN, other_language, recognise
from pgcontract.system import CONFIGURATION, FILE, PYPROJECT, System, configured

# what is fetched, built, hidden or somebody else's
_SKIPPED: Final = frozenset(
    {
        "node_modules",
        "vendor",
        "venv",
        "env",
        "site-packages",
        "__pycache__",
        "build",
        "dist",
        "target",
        "tests",
        "test",
    }
)
_MIGRATIONS: Final = frozenset({"migrations", "migration", "migrate"})
# folders from which `System.load` finds the project's folder again, so that the contract need not lie among migrations
_WITHIN: Final = ("db/migration", "src/main/resources/db/migration")
_DUMPS: Final = ("structure.sql", "schema.sql")
_DEEPEST: Final = 6
_COMMANDS: Final = {
    "alembic.ini": "alembic upgrade head",
    "manage.py": "python manage.py migrate",
    "Gemfile": "bin/rails db:migrate",
    "knexfile.js": "npx knex migrate:latest",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A schema: what PATH names it by, where its files are, and in whose convention.

    The lower the ``rank``, the surer it is that this is what a repository means by its schema.
    """

    path: Path
    files: Path
    convention: str
    rank: int


def search(folder: Path) -> list[Found]:
    """The schemas of a repository: only the surest kind that there is. Paths are relative to the folder.

    Raises UsageError where there is none, with what to do about migrations that are programs.
    """
    found: dict[Path, Found] = {}
    for place in _folders(folder):
        for one in _at(folder, place):
            found.setdefault(one.path, one)
    if not found:
        raise _nothing(folder)
    surest = min(one.rank for one in found.values())
    return [one for one in found.values() if one.rank == surest]


def configure(folder: Path, paths: Sequence[Path]) -> Path:
    """Write where the systems are: into pyproject.toml where there is one, else into a file of our own.

    Gives the file. What stands there is left as it is. Raises UsageError where that cannot be.
    """
    names = [path.as_posix() for path in paths]
    line = f"{toml.line(['systems'], names)}\n"
    pyproject = folder / PYPROJECT
    try:
        if not pyproject.is_file():
            file = folder / CONFIGURATION
            with file.open("x", encoding="utf-8") as new:
                new.write(f"# The schemas that are under contract: `pgcontract verify` proves them.\n{line}")
            return file
        text = pyproject.read_bytes().decode("utf-8")
        if "pgcontract" in tomllib.loads(text).get("tool", {}):
            raise UsageError(
                "There is a [tool.pgcontract] already, which names no system.",
                where=str(pyproject),
                remedy=f"Add the line there: {line.strip()}",
            )
        end = "\r\n" if "\r\n" in text else "\n"
        gap = "" if not text else end if text.endswith("\n") else end + end
        with pyproject.open("ab") as more:
            more.write(f"{gap}[tool.pgcontract]{end}{line.strip()}{end}".encode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            "The configuration cannot be written.",
            where=str(folder),
            seen=str(error),
            remedy=f"Write {CONFIGURATION} with the line: {line.strip()}",
        ) from error
    return pyproject


def systems_of(folder: Path) -> list[Path]:
    """What is configured already, relative to the folder."""
    return [Path(os.path.relpath(path, folder)) for path in configured(folder)]


def named(path: Path) -> Found:
    """The schema at a path that a person gave. Raises UsageError where there is none."""
    system = System.load(path)
    files = system.sql_file or system.folder or system.migrations or system.root
    convention = system.convention.name if system.convention is not None else "one file" if system.sql_file else OWN
    return Found(path, files, convention, 0)


def _folders(folder: Path) -> Iterator[Path]:
    """The folder and all below it, but what is hidden, fetched or built."""
    for place, below, _ in os.walk(folder):
        deep = len(Path(place).relative_to(folder).parts)
        below[:] = sorted(b for b in below if not b.startswith(".") and b not in _SKIPPED) if deep < _DEEPEST else []
        if (Path(place) / FILE).is_file():
            # what is within belongs to it
            below.clear()
        yield Path(place)


def _at(top: Path, place: Path) -> Iterator[Found]:
    """The schemas that stand in this very folder."""
    relative = place.relative_to(top)
    if (place / FILE).is_file():
        yield Found(relative, relative, OWN, 0)
        return
    try:
        convention = recognise(place)
    except MigrationError:
        convention = None
    if convention is not None and any(_owns(place, convention.name)):
        rank = 0 if convention.name != PLAIN else 1 if place.name in _MIGRATIONS else 3
        yield Found(_path_of(relative), relative, convention.name, rank)
        return
    for file in sorted(place.glob("*.sql")):
        if file.name in _DUMPS:
            yield Found(file.relative_to(top), file.relative_to(top), "one file", 2)
        elif place == top:
            yield Found(file.relative_to(top), file.relative_to(top), "one file", 4)


def _owns(place: Path, convention: str) -> Iterator[Path]:
    """The files that make it this folder and not one above it: Flyway looks into folders within."""
    return place.glob("*__*.sql") if convention == "Flyway" else iter([place])


def _path_of(folder: Path) -> Path:
    """What to call a folder of migrations: the folder around it, where that is enough to find it."""
    for within in _WITHIN:
        if folder.as_posix() == within:
            return Path()
    return folder.parent if folder.name == "migrations" else folder


def _nothing(folder: Path) -> UsageError:
    program = next((found for place in _folders(folder) if (found := other_language(place)) is not None), None)
    if program is None:
        return UsageError(
            "No schema was found: no folder of migrations, and no .sql file here.",
            where=str(folder),
            remedy="Name it: `pgcontract init PATH`, or write a dump first: "
            "`pg_dump --schema-only --no-owner DATABASE > schema.sql`.",
        )
    command = next((does for file, does in _COMMANDS.items() if (folder / file).is_file()), "the command")
    return UsageError(
        "These migrations are programs, which only their own tool can run.",
        where=str(program),
        remedy=f'Write {FILE} with the line: apply = "{command}" (it gets DATABASE_URL and PGHOST …), '
        "then run pgcontract init again.",
    )
