"""A migration file's text: read, cut at its marker, and refused where it is not plain SQL. Nothing is executed.

What the fast path needs is PostgreSQL's own parser without its trees; the scanner is asked only where a line that looks
like a marker might be none.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from pgcontract.errors import MigrationError
from pgcontract.signs import count
from pgcontract.sql import SqlError, Statement, line_of, parse, scan, split

MARKER: Final = "-- ROLLBACK"
NO_TRANSACTION: Final = "-- no-transaction"

_MARKER_LINE: Final = re.compile(rf"^[ \t]*{MARKER}[ \t]*$", re.MULTILINE)
# not compiled until a mistake needs them: re remembers them then
_NEARLY_A_MARKER: Final = r"(?im)^[ \t]*--[ \t]*rollback\b.*$"
_NEARLY_NO_TRANSACTION: Final = re.compile(r"^[ \t]*--[ \t]*no[-_ ]transaction[ \t]*$", re.MULTILINE | re.IGNORECASE)
_COMMENT_KINDS: Final = frozenset({"SQL_COMMENT", "C_COMMENT"})
# what a statement must begin with to end a transaction or to read data; the parser decides whether it does
_SUSPICIOUS: Final = re.compile(
    r"(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|PREPARE|SAVEPOINT|RELEASE|COPY)\b", re.IGNORECASE
)
# inside a migration's own transaction, a savepoint is its own business; anything else would end the transaction
_SAVEPOINTS: Final = frozenset({"TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE", "TRANS_STMT_ROLLBACK_TO"})
_META_COMMAND: Final = r"\\(?:[a-zA-Z_]+|[!?;.])"
_META_LINE: Final = r"(?m)^[ \t]*(\\(?:[a-zA-Z_]+|[!?]))"
_COPY_FROM_STDIN: Final = r"(?im)^[ \t]*COPY\b[^;']*\bFROM\s+STDIN\b[^;]*;"
# a text that does not parse is cut and parsed again at most so often, to find out why
_LOOKS: Final = 20
_NO_COPY: Final = ("COPY has no data to read here", "use INSERT, or COPY with a file on the server")


def has_marker(text: str) -> bool:
    """Whether a line of the text looks like a marker."""
    return _MARKER_LINE.search(text) is not None


def marker_of(path: Path, text: str) -> tuple[tuple[int, int] | None, tuple[Statement, ...] | None]:
    """Where the line ``-- ROLLBACK`` begins and ends, or None; and the statements before it, where they were read.

    Raises MigrationError where there are two. The same line inside a string, a function's body or a block comment is
    no marker: what stands before it would not parse.
    """
    lines = list(_MARKER_LINE.finditer(text))
    if not lines:
        return None, None
    if len(lines) == 1 and (statements := _statements(text[: lines[0].start()])) is not None:
        return lines[0].span(), statements
    places = _scanned_markers(path, text)
    if len(places) > 1:
        told = ", ".join(str(line_of(text, start)) for start, _ in places)
        raise MigrationError(
            f"The file has {count(len(places), 'line')} `{MARKER}`",
            where=f"{path}, lines {told}",
            remedy="keep the one that stands between what `up` and what `down` runs",
        )
    return (places[0] if places else None), None


def missing_marker(path: Path, text: str) -> MigrationError:
    """The error for a file without a marker; it names what looks like one."""
    near = re.search(_NEARLY_A_MARKER, text)
    return MigrationError(
        f"The file has no line `{MARKER}`",
        where=f"{path}:{line_of(text, near.start())}" if near else str(path),
        seen=near.group().strip() if near else None,
        remedy=f"end the file with the line `{MARKER}` and the statements that undo the migration, or a comment that "
        "says why there is nothing to undo",
    )


def asks_for_no_transaction(path: Path, text: str, first_statement: int | None) -> bool:
    """Whether the file is marked ``-- no-transaction``, before its first statement.

    Raises MigrationError where the mark is misspelt, or stands too late to be one.
    """
    found = list(_NEARLY_NO_TRANSACTION.finditer(text))
    if not found:
        return False
    comments = {token.start for token in _scanned(path, text) if token.kind == "SQL_COMMENT"}
    for match in found:
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        if start not in comments:
            continue
        if match.group().strip() == NO_TRANSACTION and (first_statement is None or start < first_statement):
            return True
        raise MigrationError(
            f"This is nearly the line `{NO_TRANSACTION}`",
            where=f"{path}:{line_of(text, start)}",
            seen=match.group().strip(),
            remedy=f"write `{NO_TRANSACTION}` before the first statement, or another comment",
        )
    return False


def check(
    path: Path, sql: str, first_line: int, statements: tuple[Statement, ...] | None = None
) -> tuple[Statement, ...]:
    """The statements of one section, which began on that line of the file; those given are it, read before.

    Raises MigrationError: text that does not parse, psql's own commands, COPY's data, and what begins or ends a
    transaction.
    """
    if statements is None:
        try:
            statements = split(sql)
        except SqlError as error:
            raise _unparsable(path, error, first_line, sql) from error
    for ordinal, statement in enumerate(statements, 1):
        reason = _refused(statement.text) if _SUSPICIOUS.match(statement.text) else None
        if reason:
            what, remedy = reason
            raise MigrationError(
                what,
                where=place(path, statement, ordinal, first_line),
                seen=statement.text.splitlines()[0][:120],
                remedy=remedy,
            )
    return statements


def check_alone(path: Path, statements: tuple[Statement, ...], first_line: int) -> None:
    """Refuse what could not be gone on with outside a transaction. Raises MigrationError."""
    for ordinal, statement in enumerate(statements, 1):
        node: Any = parse(statement.text).stmts[0].stmt
        if is_node(node, "index_stmt") and node.index_stmt.concurrent and not node.index_stmt.idxname:
            raise MigrationError(
                "An index that is built concurrently needs a name",
                where=place(path, statement, ordinal, first_line),
                seen=statement.text.splitlines()[0][:120],
                remedy="name it, so that one that failed half way is found and dropped",
            )


def place(path: Path, statement: Statement, ordinal: int, first_line: int) -> str:
    """``file:line (statement n)``, where the statement's text began on ``first_line`` of the file."""
    return f"{path}:{statement.line + first_line - 1} (statement {ordinal})"


def is_node(node: Any, kind: str) -> bool:
    """Whether the tree's node is of that kind (``index_stmt``)."""
    return bool(node.HasField(kind))


def _refused(text: str) -> tuple[str, str] | None:
    node: Any = parse(text).stmts[0].stmt
    if is_node(node, "transaction_stmt"):
        transaction = node.transaction_stmt
        kind = transaction.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number[transaction.kind].name
        if kind not in _SAVEPOINTS:
            return (
                "A migration may not begin or end a transaction",
                "take it out: each migration runs in one of its own",
            )
    if is_node(node, "copy_stmt") and not node.copy_stmt.filename:
        return _NO_COPY
    return None


def _scanned(path: Path, text: str) -> tuple[Any, ...]:
    try:
        return scan(text)
    except SqlError as error:
        raise _unparsable(path, error, 1, text, counted=False) from error


def _scanned_markers(path: Path, text: str) -> list[tuple[int, int]]:
    places = []
    for token in _scanned(path, text):
        if token.kind != "SQL_COMMENT" or token.text.rstrip() != MARKER:
            continue
        line_start = text.rfind("\n", 0, token.start) + 1
        if not text[line_start : token.start].strip():
            places.append((line_start, token.end))
    return places


def _statements(sql: str) -> tuple[Statement, ...] | None:
    try:
        return split(sql)
    except SqlError:
        return None


def _unparsable(path: Path, error: SqlError, first_line: int, sql: str, *, counted: bool = True) -> MigrationError:
    line = error.line + first_line - 1
    if (command := _meta_command(sql, error)) is not None:
        offset, name = command
        return MigrationError(
            f"{name} is a command of psql, and no SQL",
            where=f"{path}:{line_of(sql, offset) + first_line - 1}",
            seen=sql[offset:].split("\n", 1)[0].strip()[:120],
            remedy="write what it does as SQL, or leave it out: no psql runs this file",
        )
    if (copy := _copy_with_data(sql)) is not None:
        what, remedy = _NO_COPY
        return MigrationError(
            what,
            where=f"{path}:{line_of(sql, copy) + first_line - 1}",
            seen=sql[copy:].split("\n", 1)[0].strip()[:120],
            remedy=remedy,
        )
    # statements before the broken one can be counted only roughly: the parser gives up on the whole text
    before = f" (statement {_statements_before(sql, error.line) + 1})" if counted else ""
    return MigrationError(
        f"The file does not parse: {error.message}",
        where=f"{path}:{line}{before}",
        seen=error.statement.strip()[:120] or None,
        remedy="correct the SQL; nothing has been executed",
    )


def _meta_command(sql: str, error: SqlError) -> tuple[int, str] | None:
    """The command of psql that the parser stumbled over: at the error's place, or a line before it."""
    starts = [match.start() for match in re.finditer("^", sql, re.MULTILINE)] if error.line else []
    if starts:
        offset = starts[error.line - 1] + error.column - 1
        if (at := re.match(_META_COMMAND, sql[offset : offset + 80])) and at.group() != "\\.":
            return offset, at.group()
    for match in list(re.finditer(_META_LINE, sql))[:_LOOKS]:
        # an argument of it (`\echo don't`) may be what broke the rest
        if _statements(sql[: match.start()]) is not None:
            return match.start(1), match.group(1)
    return None


def _copy_with_data(sql: str) -> int | None:
    for match in list(re.finditer(_COPY_FROM_STDIN, sql))[:_LOOKS]:
        if _statements(sql[: match.end()]) is not None:
            return match.start()
    return None


def _statements_before(sql: str, line: int) -> int:
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
