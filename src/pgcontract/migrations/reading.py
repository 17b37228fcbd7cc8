"""A folder of migrations as it is read, before anything in it is parsed: what `status` needs, and no more."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pgcontract.errors import MigrationError

# up to 14 digits: YYYYMMDDhhmmss, as dbmate and Rails number theirs
FILE_NAME: Final = re.compile(r"(?P<number>[0-9]{3,14})-(?P<name>[a-z0-9]+(?:[-_][a-z0-9]+)*)\.sql")
_A_DATE: Final = 10_000_000


class Source(NamedTuple):
    """One file of a folder, as it was read. ``checksum`` is the SHA-256 of its text."""

    number: int
    name: str
    path: Path
    text: str
    checksum: str


def read_text(path: Path) -> str:
    """The file's text: UTF-8 with or without a byte order mark, CRLF as LF. Raises MigrationError."""
    try:
        # not newline=None, which would turn a lone CR inside a string into a line break, too
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise MigrationError(
            "The file cannot be read", where=str(path), seen=error.strerror, remedy="check the path and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise MigrationError(
            "The file is not UTF-8",
            where=str(path),
            seen=f"byte {error.object[error.start]:#04x} at offset {error.start}",
            remedy="save it as UTF-8",
        ) from error


def checksum(text: str) -> str:
    """The SHA-256 of a text as ``read_text`` gives it, in hexadecimal: line ends do not change it."""
    return hashlib.sha256(text.encode()).hexdigest()


def sources(directory: Path) -> tuple[Source, ...]:
    """The folder's files, by number, read and not parsed: the text of an applied one is what was parsed then.

    Raises MigrationError for names and numbers that are wrong or doubled, an empty folder, and unreadable files.
    """
    return tuple(read(path, number) for number, path in numbered_paths(directory))


def numbered_paths(directory: Path) -> tuple[tuple[int, Path], ...]:
    """The folder's files, by number. Raises MigrationError as ``load_directory`` does, but reads none of them."""
    paths = migration_paths(directory)
    if not paths:
        raise MigrationError(
            "There are no migrations in this folder",
            where=str(directory),
            remedy=f"write the first with `pgcontract migrate create NAME {directory}`, or name the folder that holds "
            "files like 001-initial-schema.sql",
        )
    numbers: dict[int, Path] = {}
    for path in paths:
        number = number_of(path)
        if number in numbers:
            raise MigrationError(
                f"Two migrations bear the number {number}",
                where=f"{numbers[number]} and {path}",
                remedy="give one of them the next free number",
            )
        numbers[number] = path
    return tuple(sorted(numbers.items()))


def migration_paths(directory: Path) -> tuple[Path, ...]:
    """The folder's ``.sql`` files. Raises MigrationError where the folder cannot be read."""
    try:
        return tuple(sorted(path for path in directory.iterdir() if path.suffix.lower() == ".sql"))
    except OSError as error:
        raise MigrationError(
            "The folder of migrations cannot be read",
            where=str(directory),
            seen=error.strerror,
            remedy="check the path and its permissions",
        ) from error


def number_of(path: Path) -> int:
    """The number in a file's name. Raises MigrationError for a name that is no migration's."""
    match = FILE_NAME.fullmatch(path.name)
    if match is None:
        raise MigrationError(
            "This is no name of a migration",
            where=str(path),
            seen=path.name,
            remedy="name it like 001-initial-schema.sql (number, hyphen, lower-case words), or keep it elsewhere",
        )
    return int(match["number"])


def number_in(name: str) -> int:
    """The number in a migration's name, or -1 for a name without one."""
    digits = name.partition("-")[0]
    return int(digits) if digits.isdecimal() else -1


def gaps(numbers: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Each number before which one or more are left out, with the words for those. Dates and times leave out most."""
    expected = None
    for number in sorted(set(numbers)):
        if expected is not None and expected < number < _A_DATE:
            missing = str(expected) if number == expected + 1 else f"{expected} to {number - 1}"
            yield number, f"no migration bears the number {missing}"
        expected = number + 1


def read(path: Path, number: int) -> Source:
    """One file, read and not parsed. Raises MigrationError."""
    text = read_text(path)
    return Source(number, path.stem, path, text, checksum(text))
