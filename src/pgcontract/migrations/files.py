"""Migration files: ``NNN-name.sql``, each holding `up`, a line ``-- ROLLBACK``, then `down`.

Everything that can be wrong with a file is found here, by reading, before anything is executed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pgcontract.errors import MigrationError
from pgcontract.sql import SqlError, Statement, line_of, parsed_statements, scan

MARKER: Final = "-- ROLLBACK"
FILE_NAME: Final = re.compile(r"(?P<number>[0-9]{3,9})-(?P<name>[a-z0-9]+(?:[-_][a-z0-9]+)*)\.sql")

_MARKER_LINE: Final = re.compile(rf"^[ \t]*{MARKER}[ \t]*$", re.MULTILINE)
_NEARLY_A_MARKER: Final = re.compile(r"^[ \t]*--[ \t]*rollback\b.*$", re.MULTILINE | re.IGNORECASE)
_COMMENT_KINDS: Final = frozenset({"SQL_COMMENT", "C_COMMENT"})
# inside a migration's own transaction, a savepoint is its own business; anything else would end the transaction
_SAVEPOINTS: Final = frozenset({"TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE", "TRANS_STMT_ROLLBACK_TO"})


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration. ``name`` is the file's without ``.sql``; lines end in LF, whatever the file has.

    ``down`` is None where there is nothing that could be run to undo it. ``down_line`` is the line of the file on
    which ``down`` begins; ``up`` begins on the first. ``checksum`` is the SHA-256 of the whole file's text.
    """

    number: int
    name: str
    path: Path
    up: str
    down: str | None
    checksum: str
    down_line: int = 1


def load_directory(directory: Path) -> tuple[Migration, ...]:
    """All migrations of a folder, by number. Files that do not end in ``.sql`` are none of them.

    Raises MigrationError, which names the file and the line: names and numbers that are wrong or doubled, an empty
    folder, and everything that ``load`` refuses.
    """
    paths = migration_paths(directory)
    if not paths:
        raise MigrationError(
            "There are no migrations in this folder",
            where=str(directory),
            remedy="name the folder that holds files like 001-initial-schema.sql",
        )
    numbers: dict[int, Path] = {}
    for path in paths:
        number = _number(path)
        if number in numbers:
            raise MigrationError(
                f"Two migrations bear the number {number}",
                where=f"{numbers[number]} and {path}",
                remedy="give one of them the next free number",
            )
        numbers[number] = path
    return tuple(load(path, number) for number, path in sorted(numbers.items()))


def migration_paths(directory: Path) -> tuple[Path, ...]:
    """The folder's ``.sql`` files. Raises MigrationError where the folder cannot be read."""
    try:
        return tuple(sorted(path for path in directory.iterdir() if path.suffix == ".sql"))
    except OSError as error:
        raise MigrationError(
            "The folder of migrations cannot be read",
            where=str(directory),
            seen=error.strerror,
            remedy="check the path and its permissions",
        ) from error


def load(path: Path, number: int) -> Migration:
    """One migration file. Raises MigrationError: unreadable, no marker or two, text that does not parse."""
    text = read_text(path)
    markers = _markers(path, text)
    if len(markers) != 1:
        raise _wrong_markers(path, text, markers)
    start, end = markers[0]
    return _migration(path, number, text, (start, end))


def load_plain(path: Path) -> Migration:
    """A single ``.sql`` file as a migration numbered 0, where a rollback section may be left out."""
    text = read_text(path)
    markers = _markers(path, text)
    if len(markers) > 1:
        raise _wrong_markers(path, text, markers)
    return _migration(path, 0, text, markers[0] if markers else None)


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


def _number(path: Path) -> int:
    match = FILE_NAME.fullmatch(path.name)
    if match is None:
        raise MigrationError(
            "This is no name of a migration",
            where=str(path),
            seen=path.name,
            remedy="name it like 001-initial-schema.sql (number, hyphen, lower-case words), or keep it elsewhere",
        )
    return int(match["number"])


def _markers(path: Path, text: str) -> list[tuple[int, int]]:
    # the scanner decides, because the same line inside a string, a function's body or a block comment is no marker;
    # without such a line it need not be asked
    if not _MARKER_LINE.search(text):
        return []
    try:
        tokens = scan(text)
    except SqlError as error:
        raise _unparsable(path, error, 1) from error
    places = []
    for token in tokens:
        if token.kind != "SQL_COMMENT" or token.text.rstrip() != MARKER:
            continue
        line_start = text.rfind("\n", 0, token.start) + 1
        if not text[line_start : token.start].strip():
            places.append((line_start, token.end))
    return places


def _wrong_markers(path: Path, text: str, markers: list[tuple[int, int]]) -> MigrationError:
    if markers:
        lines = ", ".join(str(line_of(text, start)) for start, _ in markers)
        return MigrationError(
            f"The file has {len(markers)} lines `{MARKER}`",
            where=f"{path}, lines {lines}",
            remedy="keep the one that stands between what `up` and what `down` runs",
        )
    near = _NEARLY_A_MARKER.search(text)
    return MigrationError(
        f"The file has no line `{MARKER}`",
        where=f"{path}:{line_of(text, near.start())}" if near else str(path),
        seen=near.group().strip() if near else None,
        remedy=f"end the file with the line `{MARKER}` and the statements that undo the migration, or a comment that "
        "says why there is nothing to undo",
    )


def _migration(path: Path, number: int, text: str, marker: tuple[int, int] | None) -> Migration:
    start, end = marker or (len(text), len(text))
    down_line = line_of(text, end)
    up, down = text[:start], text[end:]
    _check(path, up, 1)
    _check(path, down, down_line)
    return Migration(number, path.stem, path, up, down if _says_anything(down) else None, checksum(text), down_line)


def _says_anything(down: str) -> bool:
    """Whether something stands in the rollback section: a comment alone is an author's word, nothing at all is not."""
    return bool(down.strip())


def _check(path: Path, sql: str, first_line: int) -> None:
    try:
        statements = parsed_statements(sql)
    except SqlError as error:
        raise _unparsable(path, error, first_line, sql) from error
    for ordinal, (statement, raw) in enumerate(statements, 1):
        reason = _refused(raw.stmt)
        if reason:
            what, remedy = reason
            raise MigrationError(
                what,
                where=place(path, statement, ordinal, first_line),
                seen=statement.text.splitlines()[0][:120],
                remedy=remedy,
            )


def place(path: Path, statement: Statement, ordinal: int, first_line: int) -> str:
    """``file:line (statement n)``, where the statement's text began on ``first_line`` of the file."""
    return f"{path}:{statement.line + first_line - 1} (statement {ordinal})"


def _refused(node: object) -> tuple[str, str] | None:
    transaction = getattr(node, "transaction_stmt")  # noqa: B009 - a protobuf message, whose attributes are not typed
    if _is(node, "transaction_stmt"):
        kind = transaction.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number[transaction.kind].name
        if kind not in _SAVEPOINTS:
            return (
                "A migration may not begin or end a transaction",
                "take it out: each migration runs in one of its own",
            )
    if _is(node, "copy_stmt"):
        copy = getattr(node, "copy_stmt")  # noqa: B009 - as above
        if not copy.filename:
            return "COPY has no data to read here", "use INSERT, or COPY with a file on the server"
    return None


def _is(node: object, kind: str) -> bool:
    return bool(getattr(node, "HasField")(kind))  # noqa: B009 - as above


def _unparsable(path: Path, error: SqlError, first_line: int, sql: str = "") -> MigrationError:
    line = error.line + first_line - 1
    # statements before the broken one can be counted only roughly: the parser gives up on the whole text
    before = scan_statements(sql, error.line) if sql else 0
    where = f"{path}:{line}" + (f" (statement {before + 1})" if sql else "")
    return MigrationError(
        f"The file does not parse: {error.message}",
        where=where,
        seen=error.statement.strip()[:120] or None,
        remedy="correct the SQL; nothing has been executed",
    )


def scan_statements(sql: str, line: int) -> int:
    """How many statements end before that line, by the scanner's semicolons; 0 where it cannot read the text."""
    try:
        tokens = scan(sql)
    except SqlError:
        return 0
    ended, open_statement = 0, False
    for token in tokens:
        if line_of(sql, token.start) >= line:
            break
        if token.kind == "ASCII_59":
            ended += open_statement
            open_statement = False
        elif token.kind not in _COMMENT_KINDS:
            open_statement = True
    return ended
