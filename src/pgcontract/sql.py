"""The one door to PostgreSQL's own parser: parse, scan, split, deparse. It needs no server.

libpg_query counts in two ways: its errors stand at a 1-based *character*, its tokens and statements at 0-based
*bytes*. Everything that leaves this module counts characters from 0, and lines and columns from 1.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from pgcontract.errors import PgContractError

# protobuf messages of libpg_query (its pg_query.proto); their stubs are no valid Python, so that no checker reads them
Node: TypeAlias = Any
ParseResult: TypeAlias = Any
RawStatement: TypeAlias = Any

_PREFIX: Final = "SELECT "
_SHARED: Final = frozenset({".so", ".dylib", ".dll"})


class SqlError(PgContractError):
    """Text that PostgreSQL's parser refuses. ``line`` and ``column`` count from 1; 0 where there is no place."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0, statement: str = "") -> None:
        super().__init__(
            message,
            where=f"line {line}, column {column}" if line else None,
            seen=_first_line(statement) or None,
            remedy="correct the SQL",
        )
        self.message = message
        self.line = line
        self.column = column
        self.statement = statement


# libpg_query's kinds of keywords: 0 for none, then unreserved, names of columns, of types and functions, reserved
UNRESERVED = 1


@dataclass(frozen=True, slots=True)
class Token:
    """One token: ``kind`` is libpg_query's name (``IDENT``, ``SCONST``, ``SQL_COMMENT``, ``ASCII_59`` …).

    ``start`` and ``end`` are character offsets; ``text`` is what stands between them.
    """

    kind: str
    text: str
    start: int
    end: int
    keyword: bool = False
    reserved: bool = False
    """Whether it is a keyword that is not everywhere taken for a name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without its semicolon; ``line`` is where it begins, ``start`` and ``end`` character offsets."""

    text: str
    line: int
    start: int
    end: int


def parse(sql: str) -> ParseResult:
    """Return the parse tree of a text of statements. Offsets within it are libpg_query's own: bytes from 0.

    Raises SqlError with the line, the column and the statement's line of text.
    """
    return _call("parse", sql)


def scan(sql: str) -> tuple[Token, ...]:
    """Return all tokens, comments included, in their order. Raises SqlError (an unterminated string or comment)."""
    result = _call("scan", sql)
    names = _token_names()
    at = _Characters(sql)
    tokens = []
    for token in result.tokens:
        start, end = at(token.start), at(token.end)
        kind = token.keyword_kind
        # what stands for nothing in SQL, as { does, is a token to which the parser gives no name
        name = names.get(token.token, f"ASCII_{token.token}")
        tokens.append(Token(name, sql[start:end], start, end, keyword=kind > 0, reserved=kind > UNRESERVED))
    return tuple(tokens)


@functools.cache
def _token_names() -> dict[int, str]:
    return {number: name for name, number in _library().pg_query_pb2.Token.items()}


def split(sql: str) -> tuple[Statement, ...]:
    """Return the statements of a text, each with its line; dollar quotes, comments and SQL bodies are understood.

    Raises SqlError where the text does not parse. No tree comes to Python, so that 50 MB take a second.
    """
    _refuse_nul(sql)
    library = _bare_library()
    if library is None:
        return tuple(statement for statement, _ in parsed_statements(sql))
    encoded = sql.encode()
    result = library.pg_query_split_with_parser(encoded)
    try:
        if result.error:
            error = result.error.contents
            raise _refused(error.message.decode(), sql, error.cursorpos)
        places = [(one.contents.stmt_location, one.contents.stmt_len) for one in result.stmts[: result.n_stmts]]
    finally:
        library.pg_query_free_split_result(result)
    at = _Characters(sql)
    statements = []
    line, counted = 1, 0
    for location, length in places:
        start, end = at(location), at(location + length)
        text = sql[start:end].strip()
        start += len(sql[start:end]) - len(sql[start:end].lstrip())
        line += sql.count("\n", counted, start)
        counted = start
        statements.append(Statement(text, line, start, start + len(text)))
    return tuple(statements)


def without_values(sql: str) -> str | None:
    """Return the statement with a placeholder for each constant, or None where it cannot be read."""
    library = _library()
    try:
        return str(library.normalize(sql))
    except (library.PgQueryError, ValueError):
        return None


def parsed_statements(sql: str) -> tuple[tuple[Statement, RawStatement], ...]:
    """Do as ``split``, each statement together with its tree."""
    tree = parse(sql)
    at = _Characters(sql)
    statements = []
    line, counted = 1, 0
    for raw in tree.stmts:
        start = at(raw.stmt_location)
        end = at(raw.stmt_location + raw.stmt_len) if raw.stmt_len else len(sql)
        text = sql[start:end]
        start += len(text) - len(text.lstrip())
        line += sql.count("\n", counted, start)
        counted = start
        statements.append((Statement(text.strip(), line, start, start + len(text.strip())), raw))
    return tuple(statements)


def deparse(tree: ParseResult) -> str:
    """Return the tree as SQL, in libpg_query's own spelling."""
    library = _library()
    try:
        return str(library.deparse(tree))
    except library.PgQueryError as error:
        raise SqlError(error.message) from error


def parse_expression(text: str) -> Node:
    """Return the tree of one scalar expression, as it stands in a CHECK or a DEFAULT.

    Raises SqlError where the text is no expression, more than one, or goes on after it.
    """
    _refuse_nul(text)
    library = _library()
    try:
        # the line break ends a comment that the text may end with
        tree = library.parse(f"{_PREFIX}{text}\n")
    except library.PgQueryError as error:
        raise _error(error, text, max(error.cursorpos - len(_PREFIX), 1) if error.cursorpos else 0) from error
    make_select = library.pg_query_pb2.SelectStmt
    select = tree.stmts[0].stmt.select_stmt if len(tree.stmts) == 1 else make_select()
    targets = list(select.target_list)
    alone = make_select(target_list=targets, limit_option=select.limit_option, op=select.op)
    # whatever else a SELECT can hold (FROM, WHERE, a second column, an alias) would be lost without a word
    if len(targets) != 1 or alone != select or targets[0].res_target.name or targets[0].res_target.indirection:
        raise SqlError("not one expression", line=1, column=1, statement=text)
    value = targets[0].res_target.val
    if len(value.column_ref.fields) == 1 and value.column_ref.fields[0].HasField("a_star"):
        raise SqlError("not one expression", line=1, column=1, statement=text)
    return value


def deparse_expression(node: Node) -> str:
    """Return the expression as SQL."""
    pb = _library().pg_query_pb2
    target = pb.Node(res_target=pb.ResTarget(val=node))
    select = pb.SelectStmt(target_list=[target], limit_option="LIMIT_OPTION_DEFAULT", op="SETOP_NONE")
    statement = pb.RawStmt(stmt=pb.Node(select_stmt=select))
    return deparse(pb.ParseResult(stmts=[statement])).removeprefix(_PREFIX)


def line_of(sql: str, offset: int) -> int:
    """Return the line, from 1, of a character offset."""
    return sql.count("\n", 0, offset) + 1


def _library() -> Any:
    # it loads a shared library and a large protobuf module, which takes 150 ms: only who parses pays for it
    return importlib.import_module("postgast")


@functools.cache
def _bare_library() -> Any:
    """The shared library, without the protobuf module, which nothing that returns no tree needs; None if it hides.

    The structures are those of its own header, pg_query.h.
    """
    found = importlib.util.find_spec("postgast")
    folders = (found and found.submodule_search_locations) or ()
    paths = [path for folder in folders for path in Path(folder).glob("*pg_query.*") if path.suffix in _SHARED]
    if not paths:
        return None
    import ctypes  # noqa: PLC0415 - only who parses pays for it

    class Error(ctypes.Structure):
        _fields_ = (
            ("message", ctypes.c_char_p),
            ("funcname", ctypes.c_char_p),
            ("filename", ctypes.c_char_p),
            ("lineno", ctypes.c_int),
            ("cursorpos", ctypes.c_int),
            ("context", ctypes.c_char_p),
        )

    class Place(ctypes.Structure):
        _fields_ = (("stmt_location", ctypes.c_int), ("stmt_len", ctypes.c_int))

    class Split(ctypes.Structure):
        _fields_ = (
            ("stmts", ctypes.POINTER(ctypes.POINTER(Place))),
            ("n_stmts", ctypes.c_int),
            ("stderr_buffer", ctypes.c_char_p),
            ("error", ctypes.POINTER(Error)),
        )

    try:
        # loaded again, not postgast's own: what one says of its arguments would hold for the other
        library = ctypes.CDLL(str(paths[0]))
        library.pg_query_split_with_parser.argtypes = [ctypes.c_char_p]
        library.pg_query_split_with_parser.restype = Split
        library.pg_query_free_split_result.argtypes = [Split]
        library.pg_query_free_split_result.restype = None
    except (OSError, AttributeError):
        return None
    return library


def _call(function: str, sql: str) -> Any:
    _refuse_nul(sql)
    library = _library()
    try:
        return getattr(library, function)(sql)
    except library.PgQueryError as error:
        raise _error(error, sql, error.cursorpos) from error


def _refuse_nul(sql: str) -> None:
    # the library takes a C string: what follows a NUL would be left out in silence
    if (offset := sql.find("\0")) >= 0:
        line, column = _place(sql, offset)
        raise SqlError("a NUL byte in the SQL", line=line, column=column)


def _error(error: Exception, sql: str, position: int) -> SqlError:
    return _refused(getattr(error, "message", str(error)), sql, position)


def _refused(message: str, sql: str, position: int) -> SqlError:
    if not position:
        return SqlError(message)
    line, column = _place(sql, min(position - 1, len(sql)))
    lines = sql.split("\n")
    return SqlError(message, line=line, column=column, statement=lines[line - 1].rstrip("\r"))


def _place(sql: str, offset: int) -> tuple[int, int]:
    line = line_of(sql, offset)
    return line, offset - (sql.rfind("\n", 0, offset) + 1) + 1


def _first_line(text: str) -> str:
    stripped = text.strip()
    return stripped.splitlines()[0][:120] if stripped else ""


class _Characters:
    """Turns rising byte offsets into character offsets, decoding each stretch of the text once."""

    def __init__(self, sql: str) -> None:
        self._bytes = None if sql.isascii() else sql.encode()
        self._byte = 0
        self._character = 0

    def __call__(self, byte: int) -> int:
        if self._bytes is None:
            return byte
        if byte < self._byte:
            self._byte = self._character = 0
        self._character += len(self._bytes[self._byte : byte].decode())
        self._byte = byte
        return self._character
