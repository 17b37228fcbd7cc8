"""Hot queries: one statement a file, and in the comment at its top what is promised of it. No server is needed."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pgcontract.errors import PgContractError
from pgcontract.signs import count
from pgcontract.sql import SqlError, line_of, parse, parse_expression, parsed_statements, scan

KEYS: Final = ("uses", "pages", "wal", "rows", "sorts", "writes", "slower")
DEFAULT_SLOWER: Final = 1.10
"""How many times as long a query may take as in another version of the schema before that counts."""

_KEY: Final = re.compile(rf"({'|'.join(KEYS)})\s*(?::\s*(.*))?", re.DOTALL)
_PARAMETER: Final = re.compile(r"\$(\d+)\s+(.*?)\s*:\s*(.*)", re.DOTALL)
_COLUMN: Final = re.compile(
    r"(?:(words|parts|elements)\s+of\s+)?((?:\w+\.)?\w+)\.(\w+)(?:\s+where\s+(.+))?", re.DOTALL | re.IGNORECASE
)
_KINDS: Final[Mapping[str, Literal["column", "words", "parts", "elements"]]] = {
    "column": "column",
    "words": "words",
    "parts": "parts",
    "elements": "elements",
}
_COUNTED: Final = re.compile(r"(at most|exactly)\s+(\d+)")
_WRITING: Final = {"insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"}
_OPERATORS: Final[Mapping[type, Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class QueryError(PgContractError):
    """A hot query's file does not say what is to be known of it, or says what cannot be."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a parameter's values come from.

    ``column``: those of ``table``.``column`` (in rows that fulfil ``text``, if any), by how many rows have them;
    ``elements``: the same for the elements of an array; ``words`` and ``parts``: two rare words of a text, and LIKE
    patterns with a dozen characters from within, of the first, middle and last rows of a sample; ``select``: the rows
    of a query, in its order; ``expression``: one value. Any of them may speak of the parameters before it.
    """

    kind: Literal["column", "words", "parts", "elements", "select", "expression"]
    text: str = ""
    table: str = ""
    column: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """``$number`` of the query."""

    number: int
    type: str
    meaning: str
    source: Source


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a query may take: a formula of ``bound`` and ``rows``, and why it is not the usual one."""

    formula: str
    reason: str = ""

    def amount(self, *, bound: float, rows: float) -> float:
        """The number, for a computed bound and a number of rows."""
        return _value(ast.parse(self.formula, mode="eval").body, {"bound": bound, "rows": rows})


DEFAULT_LIMIT: Final = Limit("1.1 * bound + 2")


@dataclass(frozen=True, slots=True)
class Query:
    """One hot query.

    ``wal`` says how many bytes of log it may write; ``rows_at_most`` and ``rows_exactly`` how many rows it may return
    or, without RETURNING, write.
    """

    path: Path
    text: str
    line: int
    meaning: str
    parameters: tuple[Parameter, ...] = ()
    uses: tuple[str, ...] = ()
    limit: Limit = DEFAULT_LIMIT
    rows_at_most: int | None = None
    rows_exactly: int | None = None
    sorts: str = ""
    """Why its order can come from no index; empty where one gives it."""
    writes: bool = False
    wal: Limit | None = None
    slower: float = DEFAULT_SLOWER

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.path.stem

    @property
    def limited(self) -> bool:
        """Whether a limit of its own takes the place of the computed one."""
        return self.limit != DEFAULT_LIMIT


def queries_of(folder: Path | None) -> tuple[Query, ...]:
    """The hot queries of a system's folder, by name; none where it has no such folder. Raises QueryError."""
    return () if folder is None else tuple(read_query(path) for path in sorted(folder.glob("*.sql")))


def read_query(path: Path) -> Query:
    """One file. Raises QueryError: no header, not one statement, or a header that does not fit the statement."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(
            "A query cannot be read.", where=str(path), seen=str(error), remedy="Check its encoding."
        ) from error
    return parse_query(text, path)


def parse_query(text: str, path: Path) -> Query:
    """The query that a file's text holds. Raises QueryError with the file, the line and what to do."""
    statement, line, tree = _statement(text, path)
    meaning, items = _header(text, line, path)
    parameters: list[Parameter] = []
    said: dict[str, tuple[int, str]] = {}
    for at, item in items:
        if found := _PARAMETER.fullmatch(item):
            parameters.append(_parameter(found, at, path, len(parameters) + 1))
            continue
        key = _KEY.fullmatch(item)
        if key is None:
            raise _wrong(path, at, "The header has a line that says nothing known.", item, _known())
        if key[1] in said:
            raise _wrong(path, at, f"The header says `{key[1]}` twice.", item, "Say it once.")
        said[key[1]] = at, (key[2] or "").strip()
    _fits(statement, len(parameters), path, line)
    writes = "writes" in said
    if not writes and (seen := _writing(tree)):
        raise _wrong(path, line, "A query writes that says that it reads.", seen, "Write `-- writes` into its header.")
    at_most, exactly = _rows(said.get("rows"), path)
    return Query(
        path=path,
        text=statement,
        line=line,
        meaning=meaning,
        parameters=tuple(parameters),
        uses=_names(said.get("uses"), path, line),
        limit=_limit(said.get("pages"), path, writes=writes, line=line),
        rows_at_most=at_most,
        rows_exactly=exactly,
        sorts=_sorts(said.get("sorts"), path),
        writes=writes,
        wal=_wal(said.get("wal"), path, writes=writes, line=line),
        slower=_slower(said.get("slower"), path),
    )


def _statement(text: str, path: Path) -> tuple[str, int, Any]:
    try:
        found = parsed_statements(text)
    except SqlError as error:
        raise _wrong(path, error.line or 1, "A query does not parse.", error.message, "Correct the SQL.") from error
    if len(found) != 1:
        seen = count(len(found), "statement") if found else "no statement"
        raise _wrong(path, 1, "A hot query is one statement.", seen, "Put every statement into a file of its own.")
    ((statement, raw),) = found
    tokens = [token for token in scan(text) if token.end > statement.start and "COMMENT" not in token.kind]
    begin = tokens[0].start
    line = line_of(text, begin)
    kind = raw.stmt.WhichOneof("node")
    if kind != "select_stmt" and kind not in _WRITING:
        raise _wrong(
            path,
            line,
            "A hot query is a SELECT, INSERT, UPDATE, DELETE or MERGE.",
            tokens[0].text.upper(),
            "Write one.",
        )
    return text[begin : statement.end].strip(), line, raw.stmt


def _header(text: str, until: int, path: Path) -> tuple[str, list[tuple[int, str]]]:
    """The description, and what is said of the query with the line of each; what is indented further goes on."""
    meaning: list[str] = []
    items: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines()[: until - 1], 1):
        stripped = line.strip()
        if not stripped.startswith("--"):
            continue
        said = stripped.removeprefix("--")
        if items and re.match(r"\s{2,}\S", said):
            items[-1] = (items[-1][0], f"{items[-1][1]} {said.strip()}")
        elif items or _PARAMETER.fullmatch(said.strip()) or _KEY.fullmatch(said.strip()):
            items.append((number, said.strip()))
        else:
            meaning.append(said.strip())
    words = " ".join(meaning).strip()
    if not words:
        raise _wrong(path, 1, "A query has no header.", "no comment", f"Say what it is for at its top. {_known()}")
    return words, items


def _parameter(found: re.Match[str], line: int, path: Path, expected: int) -> Parameter:
    number, type_, rest = int(found[1]), found[2], found[3]
    if number != expected:
        raise _wrong(path, line, "Parameters stand in their order, from $1.", f"${number}", f"Here comes ${expected}.")
    try:
        parse_expression(f"NULL::{type_}")
    except SqlError as error:
        raise _wrong(
            path, line, "A parameter's type is none.", type_, "Write it as in `-- $1 uuid: the user`."
        ) from error
    meaning, given, source = rest.rpartition("; from ")
    if not given:
        raise _wrong(
            path,
            line,
            f"Nothing says where ${number}'s values come from.",
            rest,
            "Write `; from table.column`, `; from (SELECT …)` or `; from 'value'` after what it is.",
        )
    return Parameter(number, type_, meaning.strip(), _source(source.strip(), number, line, path))


def _source(text: str, number: int, line: int, path: Path) -> Source:
    later = [t.text for t in _tokens(text, path, line) if t.kind == "PARAM" and int(t.text[1:]) >= number]
    if later:
        raise _wrong(
            path, line, "A source speaks of parameters that come after it.", later[0], "Let it depend on those before."
        )
    unknown = _wrong(
        path,
        line,
        f"The source of ${number} is unknown.",
        text,
        "Write table.column, words of table.column, either with where …, (SELECT …), or a value without columns.",
    )
    if column := _COLUMN.fullmatch(text):
        kind, table, name, condition = column.groups()
        if condition:
            _parsed(f"SELECT FROM t WHERE {condition}", unknown)
        return Source(_KINDS[(kind or "column").lower()], condition or "", table, name)
    if re.match(r"\(\s*(SELECT|WITH|VALUES)\b", text, re.IGNORECASE):
        if not text.endswith(")"):
            raise unknown
        tree = _parsed(text[1:-1], unknown)
        if len(tree.stmts) != 1 or _writing(tree.stmts[0].stmt):
            raise unknown
        return Source("select", text[1:-1].strip())
    tree = _parsed(f"SELECT {text}", unknown)
    if len(tree.stmts) != 1 or any(name == "column_ref" for name, _ in _nodes(tree)):
        raise unknown
    return Source("expression", text)


def _parsed(text: str, refusal: QueryError) -> Any:
    try:
        return parse(text)
    except SqlError as error:
        raise refusal from error


def _tokens(text: str, path: Path, line: int) -> tuple[Any, ...]:
    try:
        return scan(text)
    except SqlError as error:
        raise _wrong(path, line, "A source does not parse.", text, "Correct the SQL.") from error


def _fits(statement: str, given: int, path: Path, line: int) -> None:
    used = {int(token.text[1:]) for token in scan(statement) if token.kind == "PARAM"}
    for number in sorted(used - set(range(1, given + 1))):
        raise _wrong(
            path,
            line,
            "The header leaves out a parameter.",
            f"${number}",
            f"Add `-- ${number} type: what it is; from …`.",
        )
    for number in sorted(set(range(1, given + 1)) - used):
        raise _wrong(
            path, line, "The header has a parameter that the query has not.", f"${number}", "Take it out of the header."
        )


def _writing(tree: Any) -> str:
    """What in a statement changes rows, or locks them; empty for nothing."""
    for name, node in _nodes(tree):
        if name in _WRITING:
            return name.removesuffix("_stmt").upper()
        if name == "select_stmt" and node.HasField("into_clause"):
            return "SELECT INTO"
        if name == "locking_clause":
            return "FOR UPDATE, NO KEY UPDATE, SHARE or KEY SHARE"
    return ""


def _nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every node of a parse tree, with its kind."""
    waiting = [tree]
    while waiting:
        message = waiting.pop()
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            # a list of nodes, or one
            for child in [value] if hasattr(value, "ListFields") else value:
                yield field.name, child
                waiting.append(child)


def _names(said: tuple[int, str] | None, path: Path, line: int) -> tuple[str, ...]:
    if said is None:
        raise _wrong(
            path, line, "Nothing says which indexes serve the query.", "no `uses`", "Write `-- uses: idx_table_column`."
        )
    names = tuple(name.strip() for name in said[1].split(","))
    if not all(re.fullmatch(r"\w+", name) for name in names) or len(set(names)) != len(names):
        raise _wrong(path, said[0], "`uses` is no list of indexes.", said[1], "Write their names, with commas between.")
    return names


def _rows(said: tuple[int, str] | None, path: Path) -> tuple[int | None, int | None]:
    if said is None:
        return None, None
    found = _COUNTED.fullmatch(said[1])
    if found is None:
        raise _wrong(path, said[0], "`rows` is no number.", said[1], "Write `at most N` or `exactly N`.")
    return (int(found[2]), None) if found[1] == "at most" else (None, int(found[2]))


def _limit(said: tuple[int, str] | None, path: Path, *, writes: bool, line: int) -> Limit:
    if said is None:
        if writes:
            raise _wrong(
                path,
                line,
                "Nothing says how many pages the query may touch.",
                "`writes` without `pages`",
                "Write `-- pages: at most N`: for what writes, no bound can be computed.",
            )
        return DEFAULT_LIMIT
    formula, _, reason = said[1].partition(", because ")
    formula = formula.removeprefix("at most").strip()
    formula = _formula(formula, "pages", "at most 2 * bound + 10", said[0], path)
    if not writes and not reason.strip():
        raise _wrong(
            path,
            said[0],
            "A limit of its own has no reason.",
            said[1],
            "Write `at most …, because …`, or leave it out.",
        )
    return Limit(formula, reason.strip())


def _formula(formula: str, key: str, example: str, line: int, path: Path) -> str:
    try:
        Limit(formula).amount(bound=1, rows=1)
    except (SyntaxError, KeyError, ZeroDivisionError) as error:
        raise _wrong(
            path, line, f"`{key}` is no formula.", formula, f"Write `{example}`, of bound, rows and numbers."
        ) from error
    return formula


def _wal(said: tuple[int, str] | None, path: Path, *, writes: bool, line: int) -> Limit | None:
    if said is None:
        if writes:
            raise _wrong(
                path,
                line,
                "Nothing says how much the query may log.",
                "`writes` without `wal`",
                "Write `-- wal: at most N bytes`.",
            )
        return None
    if not writes:
        raise _wrong(path, said[0], "`wal` is for queries that write.", said[1], "Leave it out.")
    formula = said[1].removeprefix("at most").removesuffix("bytes").strip()
    return Limit(_formula(formula, "wal", "at most 200 * rows + 500 bytes", said[0], path))


def _sorts(said: tuple[int, str] | None, path: Path) -> str:
    if said is None:
        return ""
    reason = said[1].removeprefix("because").strip()
    if not reason:
        raise _wrong(path, said[0], "`sorts` has no reason.", "nothing", "Write `-- sorts: because …`.")
    return reason


def _slower(said: tuple[int, str] | None, path: Path) -> float:
    if said is None:
        return DEFAULT_SLOWER
    if not re.fullmatch(r"\d+(\.\d+)?", said[1]) or float(said[1]) <= 1:
        raise _wrong(path, said[0], "`slower` is no factor above 1.", said[1], "Write one as in `-- slower: 1.15`.")
    return float(said[1])


def _value(node: ast.expr, names: Mapping[str, float]) -> float:
    """The value of a formula of numbers, names, + - * and /. Raises KeyError for anything else."""
    if isinstance(node, ast.BinOp):
        return float(_OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names)))
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    raise KeyError(ast.dump(node))


def _known() -> str:
    return f"After that come `-- $1 type: what; from …` and {', '.join(f'`-- {key}`' for key in KEYS)}."


def _wrong(path: Path, line: int, what: str, seen: str, remedy: str) -> QueryError:
    return QueryError(what, where=f"{path}, line {line}", seen=seen, remedy=remedy)
