"""A text of statements cut as psql cuts it: quotes, bodies, COPY's data, and psql's own commands. Nothing is executed.

PostgreSQL's parser cannot read such a text, and a newer server takes statements that this parser does not know yet. So
it is cut here by psql's own rules: a semicolon ends a statement outside quotes, brackets and SQL-standard bodies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pgcontract.errors import MigrationError

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*)
  | (?P<block>/\*)
  | (?P<escaped>[eE]'[^'\\]*(?:(?:''|\\.)[^'\\]*)*')
  | (?P<string>(?:[uU]&|[bBxXnN])?'[^']*(?:''[^']*)*')
  | (?P<quoted>(?:[uU]&)?"[^"]*(?:""[^"]*)*")
  | (?P<word>\w[\w$]*)
  | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
  | (?P<cast>::|:=)
  | (?P<variable>:(?:'\w+'|"\w+"|\{\?\w+\}|[^\W\d]\w*))
  | (?P<backslash>\\)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED: Final = re.compile(r"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'", re.DOTALL)
_NOT_STANDARD: Final = re.compile(
    r"SET\s+standard_conforming_strings\s*(?:=|\bTO\b)\s*'?(?:off|false|0)", re.IGNORECASE
)
_COMMAND: Final = re.compile(r"\\(?P<name>[a-zA-Z_]+\+?|\S)?(?P<rest>[^\n]*)")
_COPY_END: Final = re.compile(r"^\\\.[ \t\r]*$", re.MULTILINE)
_BETWEEN: Final = frozenset({"space", "comment", "block"})
_QUOTES: Final = {"'": "string", '"': "quoted name"}
_OPENING: Final = {"(": 1, "[": 1, ")": -1, "]": -1}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without its semicolon, and the line that it begins on. ``data`` is COPY's, where it reads some."""

    text: str
    path: Path
    line: int
    data: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One command of psql (``name`` without its backslash, ``rest`` of its line).

    ``before`` is a statement that it stands in.
    """

    name: str
    rest: str
    path: Path
    line: int
    before: str = ""


class Script:
    """A text to be cut. ``commands``: psql's are known in it; ``value``: what a variable of psql's stands for.

    ``value`` gets a variable as it is written (``:name``, ``:'name'``), and gives None where it means nothing.
    """

    def __init__(
        self,
        text: str,
        path: Path,
        *,
        line: int = 1,
        commands: bool = True,
        value: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._text = text
        self._path = path
        self._commands = commands
        self._value = value
        self._line, self._counted = line, 0
        self._standard = True
        self._begin()

    def _begin(self) -> None:
        self._parts: list[str] = []
        self._words: list[str] = []
        self._started = -1
        self._depth = 0
        self._bodies = 0
        self._reads = False
        self._before = ""

    def parts(self) -> Iterator[Statement | Command]:
        """Its statements and commands, one by one, each read only when it is asked for.

        Raises MigrationError: what is opened and never closed, a variable that is not set.
        """
        at = 0
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            assert match is not None
            kind, token = match.lastgroup, match.group()
            end = match.end()
            if kind == "backslash" and self._commands:
                command = _COMMAND.match(self._text, at)
                assert command is not None
                name, at = command["name"] or "", command.end()
                if name == ";":
                    at = command.end("name")
                if name in {";", "g"} and not command["rest" if name == "g" else "name"].strip(" ;\t\r"):
                    if (statement := self._ended()) is not None:
                        yield statement
                    continue
                yield Command(name, command["rest"].strip(), self._path, self._line_of(match.start()), self._pending())
                continue
            if kind == "other" and match.group() == ";" and not self._depth and not self._bodies:
                reads = self._reads
                statement = self._ended()
                if statement is not None and reads:
                    data, end = self._data(end, statement)
                    statement = Statement(statement.text, statement.path, statement.line, data)
                if statement is not None:
                    self._standard = self._standard and not _NOT_STANDARD.match(statement.text)
                    yield statement
            else:
                end = self._taken(kind, token, match.start(), end)
            at = end
        if (statement := self._ended()) is not None:
            yield statement

    def _taken(self, kind: str | None, token: str, start: int, end: int) -> int:
        """Take one token into the statement; where the next begins."""
        end = self._end(kind, token, start, end)
        taken = self._text[start:end]
        if kind in _BETWEEN and not self._parts:
            return end
        if kind == "word":
            self._word(token.lower())
        elif kind == "other":
            self._depth = max(self._depth + _OPENING.get(token, 0), 0)
        elif kind == "variable":
            taken = self._variable(token, start)
        if not self._parts:
            self._started = start
        self._parts.append(taken)
        return end

    def _end(self, kind: str | None, token: str, start: int, end: int) -> int:
        """Where a token ends that goes on after what opens it. Raises MigrationError where it does not end."""
        if kind == "block":
            return self._comment_end(start)
        if kind == "dollar":
            close = self._text.find(token, end)
            if close < 0:
                raise self._open("dollar-quoted text", start)
            return close + len(token)
        if kind == "string" and not self._standard:
            match = _ESCAPED.match(self._text, self._text.index("'", start))
            if match is None:
                raise self._open("string", start)
            return match.end()
        if kind == "other" and token in _QUOTES:
            raise self._open(_QUOTES[token], start)
        return end

    def _word(self, word: str) -> None:
        if len(self._words) < 4:
            self._words.append(word)
        if self._words[0] == "create" and {"function", "procedure"} & set(self._words[1:4]):
            # as psql counts: only a body in SQL's own words has semicolons in it
            if word == "begin" or (word == "case" and self._bodies):
                self._bodies += 1
            elif word == "end" and self._bodies:
                self._bodies -= 1
        if self._words[0] == "copy" and not self._depth:
            self._reads = self._reads or (word == "stdin" and self._before == "from")
        self._before = word

    def _variable(self, token: str, start: int) -> str:
        if not self._commands:
            return token
        value = self._value(token)
        if value is not None:
            return value
        if token[1].isalpha() and self._depth:
            # a slice of an array (a[1:n]) looks the same
            return token
        raise MigrationError(
            "A variable of psql's is not set",
            where=f"{self._path}:{self._line_of(start)}",
            seen=token,
            remedy="set it in the file: \\set name value",
        )

    def _pending(self) -> str:
        return "".join(self._parts).strip()

    def _ended(self) -> Statement | None:
        text = self._pending()
        line = self._line_of(self._started) if text else 0
        self._begin()
        return Statement(text, self._path, line) if text else None

    def _data(self, end: int, statement: Statement) -> tuple[str, int]:
        line_end = self._text.find("\n", end)
        start = len(self._text) if line_end < 0 else line_end + 1
        close = _COPY_END.search(self._text, start)
        if close is None:
            raise MigrationError(
                "COPY's data has no end",
                where=f"{self._path}:{statement.line}",
                seen=statement.text.splitlines()[0][:120],
                remedy="end it with a line of \\. alone; is the file whole?",
            )
        return self._text[start : close.start()], close.end()

    def _comment_end(self, start: int) -> int:
        depth = 0
        for mark in re.compile(r"/\*|\*/").finditer(self._text, start):
            depth += 1 if mark.group() == "/*" else -1
            if not depth:
                return mark.end()
        raise self._open("comment", start)

    def _open(self, what: str, start: int) -> MigrationError:
        line = self._line_of(start)
        return MigrationError(
            f"A {what} is opened here and never closed",
            where=f"{self._path}:{line}",
            remedy="close it; is the file whole?",
        )

    def _line_of(self, offset: int) -> int:
        # offsets rise, but for a statement's own beginning, which comes after its tokens were read
        if offset < self._counted:
            return self._line - self._text.count("\n", offset, self._counted)
        self._line += self._text.count("\n", self._counted, offset)
        self._counted = offset
        return self._line


def statements(text: str, path: Path, line: int = 1) -> Iterator[Statement]:
    """The statements of a text in which psql's commands are none. Raises MigrationError as ``Script.parts`` does."""
    script = Script(text, path, line=line, commands=False)
    return (part for part in script.parts() if isinstance(part, Statement))
