"""Folders of migrations in other tools' conventions: recognised by their files, and cut down to what `up` runs.

Nothing is executed here, and no file is parsed: a tool's own marks are lines, and its order is in its names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pgcontract.errors import MigrationError
from pgcontract.inputs.flyway import flyway_files, is_flyways
from pgcontract.migrations.reading import FILE_NAME, read_text
from pgcontract.sql import line_of

OWN: Final = "pgcontract"
PLAIN: Final = "plain"

_ROLLBACK: Final = re.compile(r"^[ \t]*--[ \t]*rollback\b", re.MULTILINE | re.IGNORECASE)
_UP_FILE: Final = re.compile(r"(?P<stem>.+?)(?:\.up|[-_]up)\.sql", re.IGNORECASE)
_DOWN_FILE: Final = re.compile(r"(?P<stem>.+?)(?:\.down|[-_]down|\.rollback|\.undo)\.sql", re.IGNORECASE)
# people put triggers on it
_DIESELS_TABLE: Final = """
    CREATE TABLE __diesel_schema_migrations (
        version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    )
"""
# some add columns to it, or fill it
_MIGRATES_TABLE: Final = "schema_migrations"
_MIGRATE_MAKES: Final = "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)"
_SPEAKS_OF_IT: Final = re.compile(rf"\b{_MIGRATES_TABLE}\b")
_MAKES_IT: Final = re.compile(rf"\bCREATE\s+TABLE\b[^;(]*\b{_MIGRATES_TABLE}\b", re.IGNORECASE)
_FOR_A_DATABASE: Final = re.compile(
    r"(?P<stem>.+?)(?:\.(?P<ours>pg|postgres(?:ql)?)"
    r"|\.(?P<theirs>mysql|mariadb|sqlite3?|cockroach(?:db)?|mssql|sqlserver|oracle))?"
    r"(?P<alone>\.autocommit)?(?P<end>(?:\.up|\.down)?\.sql)",
    re.IGNORECASE,
)
_OTHER_LANGUAGES: Final = re.compile(
    r"[0-9a-f]+[-_].*\.(?:py|rb|js|ts|go|php|cs|ex|exs)|env\.py|V.*__.*\.java", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Convention:
    """A tool's way of writing migrations. ``tracking`` is the table in which it records them, where it has one.

    ``before`` is what the tool runs before all of them, where migrations count on it.
    """

    name: str
    tracking: str | None = None
    before: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one migration runs on the way up; its text began on ``line`` of the file.

    ``transactional``: the tool would run it in a transaction.
    """

    path: Path
    text: str
    line: int = 1
    transactional: bool = True


@dataclass(frozen=True, slots=True)
class _Marks:
    """Lines that cut a file in two, as some tools have them. ``alone`` stands where it runs without a transaction."""

    convention: Convention
    up: re.Pattern[str]
    down: re.Pattern[str]
    alone: re.Pattern[str]


def _marks(name: str, tracking: str, prefix: str, separator: str, alone: str) -> _Marks:
    flags = re.MULTILINE | re.IGNORECASE
    begin = rf"^[ \t]*--[ \t]*{prefix}{separator}"
    marks = (rf"{begin}up\b.*$", rf"{begin}down\b.*$", rf"{begin}{alone}\b")
    return _Marks(Convention(name, tracking), *(re.compile(mark, flags) for mark in marks))


_MARKED: Final = (
    _marks("dbmate", "schema_migrations", "migrate", ":", r"up.*\btransaction:false"),
    _marks("goose", "goose_db_version", r"\+goose", r"[ \t]+", r"no[ \t]+transaction"),
    _marks("sql-migrate", "gorp_migrations", r"\+migrate", r"[ \t]+", r"up.*\bnotransaction"),
)


def recognise(folder: Path) -> Convention | None:
    """The convention that a folder's files follow, or None where they follow none. Raises MigrationError: unreadable.

    A numbered file that has a ``-- ROLLBACK`` line makes it one of ours, as does a folder of which all files bear our
    names and no mark of another tool; where none has that line either, it is a plain one, of which all is run.
    """
    files = _sql_files(folder)
    pairs = [path for path in files if _is_pair(path, files)]
    if any(match["ours"] or match["theirs"] for match in map(_named, pairs)):
        return Convention("pop", "schema_migration")
    if pairs:
        return Convention("golang-migrate", _MIGRATES_TABLE, _MIGRATE_MAKES if _counted_on(pairs) else "")
    if is_flyways(folder):
        return Convention("Flyway", "flyway_schema_history")
    if any(folder.glob("*/up.sql")):
        return Convention("diesel", "__diesel_schema_migrations", _DIESELS_TABLE)
    if any(folder.glob("*/migration.sql")):
        return Convention("Prisma", "_prisma_migrations")
    numbered = [path for path in files if path.name[0].isdigit()]
    for path in numbered:
        text = read_text(path)
        if _ROLLBACK.search(text):
            return Convention(OWN)
        for marks in _MARKED:
            if marks.up.search(text):
                return marks.convention
    return Convention(PLAIN) if numbered else None


def steps(folder: Path, convention: Convention) -> tuple[Step, ...]:
    """What the folder's migrations run on the way up, in the tool's order. Raises MigrationError."""
    return tuple(_READERS.get(convention.name, _plain)(folder, convention))


def ours_by_name(folder: Path) -> bool:
    """Whether every file of the folder could be a migration of ours."""
    return all(FILE_NAME.fullmatch(path.name) for path in _sql_files(folder))


def other_language(folder: Path) -> Path | None:
    """A migration in the folder, or in its ``versions``, that is a program: only its own tool can run it."""
    for place in (folder, folder / "versions", folder / "migrate"):
        if place.is_dir():
            found = next((path for path in sorted(place.iterdir()) if _OTHER_LANGUAGES.fullmatch(path.name)), None)
            if found is not None:
                return found
    return None


def _counted_on(pairs: list[Path]) -> bool:
    """Whether migrations speak of golang-migrate's own table as of one that is there."""
    texts = [text for path in pairs if _SPEAKS_OF_IT.search(text := read_text(path))]
    return bool(texts) and not any(_MAKES_IT.search(text) for text in texts)


def _named(path: Path) -> re.Match[str]:
    found = _FOR_A_DATABASE.fullmatch(path.name)
    assert found is not None
    return found


def _of_ours(files: list[Path]) -> list[Path]:
    """Without the files that are for other databases, and those of which PostgreSQL has a version of its own."""
    named = {path: _named(path) for path in files if path.name.lower() != ".sql"}
    own = {(match["stem"], match["end"]) for match in named.values() if match["ours"]}
    return [p for p, m in named.items() if not m["theirs"] and (m["ours"] or (m["stem"], m["end"]) not in own)]


def _sql_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".sql" and not path.is_dir())
    except OSError as error:
        raise MigrationError(
            "The folder of migrations cannot be read",
            where=str(folder),
            seen=error.strerror,
            remedy="check the path and its permissions",
        ) from error


def _is_pair(path: Path, files: list[Path]) -> bool:
    """Whether it is an `up` file: by its ending, or beside the `down` file of its name."""
    if path.name.lower().endswith(".up.sql"):
        return True
    match = _UP_FILE.fullmatch(path.name)
    return match is not None and path.with_name(f"{match['stem']}{_down_of(path)}") in files


def _down_of(path: Path) -> str:
    return path.name[-len("_up.sql")] + "down.sql"


def _pairs(folder: Path, _convention: Convention) -> Iterator[Step]:
    files = _of_ours(_sql_files(folder))
    for path in _by_number(path for path in files if _is_pair(path, files)):
        yield Step(path, read_text(path), transactional=not _named(path)["alone"])


def _flyway(folder: Path, _convention: Convention) -> Iterator[Step]:
    for path in flyway_files(folder):
        text = read_text(path)
        placeholder = re.search(r"\$\{[^}\n]*\}", text)
        if placeholder is not None:
            raise MigrationError(
                "Flyway would put a value in here, which is not known",
                where=f"{path}:{line_of(text, placeholder.start())}",
                seen=placeholder.group()[:120],
                remedy='let Flyway apply it: apply = "flyway migrate" in system.toml',
            )
        yield Step(path, text)


def _folders_of(name: str) -> Callable[[Path, Convention], Iterator[Step]]:
    def read(folder: Path, _convention: Convention) -> Iterator[Step]:
        # as these tools do, by text: stamps got longer over the years, and are no numbers to be compared
        paths = sorted(folder.glob(f"*/{name}"), key=lambda path: (_number_of(path).replace("-", ""), path.parent.name))
        for path in _after_parents(paths):
            settings = path.with_name("metadata.toml")
            alone = settings.is_file() and re.search(
                r"^\s*run_in_transaction\s*=\s*false", read_text(settings), re.MULTILINE
            )
            yield Step(path, read_text(path), transactional=not alone)

    return read


def _after_parents(paths: list[Path]) -> Iterator[Path]:
    """In this order, but each after those that a ``metadata.yaml`` beside it names as its parents."""
    parents = {_number_of(path): _parents(path.with_name("metadata.yaml")) for path in paths}
    waiting, done = paths, set[str]()
    while waiting:
        ready = next((path for path in waiting if parents[_number_of(path)].isdisjoint(parents.keys() - done)), None)
        if ready is None:
            raise MigrationError(
                "Migrations wait for each other",
                where=str(waiting[0].with_name("metadata.yaml")),
                seen=", ".join(sorted(path.parent.name for path in waiting)[:5]),
                remedy="take one of the parents out",
            )
        yield ready
        done.add(_number_of(ready))
        waiting = [path for path in waiting if path is not ready]


def _number_of(path: Path) -> str:
    return path.parent.name.partition("_")[0]


def _parents(settings: Path) -> set[str]:
    if not settings.is_file():
        return set()
    match = re.search(r"^parents:\s*(\[[^\]]*\]|(?:\s*-\s*[0-9]+)+)", read_text(settings), re.MULTILINE)
    return set(re.findall("[0-9]+", match.group(1))) if match else set()


def _marked(folder: Path, convention: Convention) -> Iterator[Step]:
    marks = next(marks for marks in _MARKED if marks.convention == convention)
    program = next((p for p in sorted(folder.iterdir()) if re.fullmatch(r"[0-9]+_.*(?<!_test)\.go", p.name)), None)
    if program is not None:
        raise MigrationError(
            f"This migration is a program, which only {convention.name} can run",
            where=str(program),
            remedy=f'let {convention.name} apply all of them: apply = "{convention.name} … up" in system.toml',
        )
    for path in _by_number(path for path in _sql_files(folder) if path.name[0].isdigit()):
        text = read_text(path)
        up = marks.up.search(text)
        if up is None:
            raise MigrationError(
                f"The file does not say where `up` begins, as the others do for {convention.name}",
                where=str(path),
                remedy="mark it as the others are, or keep it elsewhere",
            )
        down = marks.down.search(text, up.end())
        # what stands before the mark is comments, and the tool leaves it out
        yield Step(
            path,
            text[up.end() : down.start() if down else len(text)],
            line_of(text, up.end()),
            transactional=not marks.alone.search(text),
        )


def _plain(folder: Path, _convention: Convention) -> Iterator[Step]:
    files = _of_ours(_sql_files(folder))
    found = (path for path in files if path.name[0].isdigit() and not _DOWN_FILE.fullmatch(path.name))
    yield from (Step(path, read_text(path), transactional=False) for path in _by_number(found))


def _by_number(paths: Iterator[Path], of: Callable[[Path], str] = lambda path: path.name) -> list[Path]:
    """By the number that their names begin with, and by name where two have the same or none."""

    def order(path: Path) -> tuple[int, str]:
        digits = re.match("[0-9]*", of(path))
        return int(digits.group() or 0) if digits else 0, of(path)

    return sorted(paths, key=order)


_READERS: Final[dict[str, Callable[[Path, Convention], Iterator[Step]]]] = {
    "golang-migrate": _pairs,
    "pop": _pairs,
    "Flyway": _flyway,
    "diesel": _folders_of("up.sql"),
    "Prisma": _folders_of("migration.sql"),
    **{marks.convention.name: _marked for marks in _MARKED},
}
