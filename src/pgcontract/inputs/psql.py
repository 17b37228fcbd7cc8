"""A file as psql reads it: other files included, variables put in, and every command obeyed, skipped or refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from pgcontract.errors import MigrationError
from pgcontract.inputs.script import Command, Script, Statement
from pgcontract.inputs.texts import read_any

# they print, describe or set how it is printed: nothing of the schema depends on them
_SKIPPED: Final = frozenset(
    (
        *"aCfhHlrstTwxz?",
        "conninfo",
        "copyright",
        "echo",
        "encoding",
        "errverbose",
        "password",
        "pset",
        "qecho",
        "reset",
        "restrict",
        "sf",
        "sv",
        "timing",
        "unrestrict",
        "warn",
    )
)
_INCLUDED: Final = frozenset({"i", "include", "ir", "include_relative"})
_RELATIVE: Final = frozenset({"ir", "include_relative"})
_WORD: Final = re.compile(r"""'((?:[^'\\]|''|\\.)*)'|"((?:[^"]|"")*)"|(\S+)""")
_COPY: Final = re.compile(
    r"""(?P<before>.*?)\s+(?P<way>from|to)\s+(?P<where>'(?:[^']|'')*'|"(?:[^"]|"")*"|\S+)(?P<after>.*?);?\s*""",
    re.IGNORECASE | re.DOTALL,
)
_NESTED: Final = 16


@dataclass(frozen=True, slots=True)
class Connection:
    """The script goes on in another database."""

    database: str
    path: Path
    line: int


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """A file that psql would send: COPY's statement without its source, and the file."""

    statement: str
    file: Path
    path: Path
    line: int


Part: TypeAlias = Statement | Connection | CopiedFile


class Reader:
    """Reads one script and what it includes. ``files`` are those that it has read, in their order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # rehearsed on a database that bears another name: whatever is done to it is done to that one
        self._variables = {"DBNAME": "postgres"}
        self._open: list[Path] = []
        self.files: list[Path] = []

    def parts(self) -> Iterator[Part]:
        """What it runs, one by one. Raises MigrationError, with the file and the line."""
        yield from self._read(self._path)

    def _read(self, path: Path) -> Iterator[Part]:
        self.files.append(path)
        self._open.append(path.resolve())
        for part in Script(read_any(path), path, value=self._value).parts():
            if isinstance(part, Statement):
                yield part
            elif part.name == "q":
                break
            else:
                yield from self._obeyed(part)
        self._open.pop()

    def _obeyed(self, command: Command) -> Iterator[Part]:
        words = self._words(command)
        if command.name in _INCLUDED and words:
            yield from self._read(self._included(command, words[0]))
        elif command.name in {"c", "connect"}:
            named = next((word for word in words if not word.startswith("-reuse-previous")), "-")
            if named != "-":
                yield Connection(_database(named), command.path, command.line)
        elif command.name == "copy":
            yield from self._copied(command)
        elif command.name == "set":
            if words:
                self._variables[words[0]] = "".join(words[1:])
        elif command.name == "unset":
            self._variables.pop("".join(words[:1]), None)
        elif not (command.name in _SKIPPED or command.name.startswith("d")):
            raise _refused(command, "leave it out, or write what it does as SQL")

    def _copied(self, command: Command) -> Iterator[Part]:
        match = _COPY.fullmatch(command.rest)
        if match is None or match["where"].lower() in {"program", "stdin", "pstdin", "stdout", "pstdout"}:
            raise _refused(command, "write the rows with COPY … FROM STDIN, or as INSERT")
        if match["way"].lower() == "from":
            file = command.path.parent / match["where"].strip("'\"").replace("''", "'")
            yield CopiedFile(f"COPY {match['before']} FROM STDIN{match['after']}", file, command.path, command.line)

    def _included(self, command: Command, name: str) -> Path:
        # psql looks for \i from where it was started, which is often the folder of the first file or one above it
        places = [command.path.parent]
        if command.name not in _RELATIVE:
            places += [self._path.parent, Path.cwd(), *list(self._path.resolve().parents)[1:4]]
        path = next((place / name for place in places if (place / name).is_file()), None)
        if path is None:
            raise MigrationError(
                "An included file is not there",
                where=f"{command.path}:{command.line}",
                seen=name,
                remedy=f"bring it to {command.path.parent / name}",
            )
        if path.resolve() in self._open or len(self._open) > _NESTED:
            raise MigrationError(
                "A file includes itself", where=f"{command.path}:{command.line}", seen=name, remedy="take that out"
            )
        return path

    def _words(self, command: Command) -> list[str]:
        words = []
        for quoted, named, plain in _WORD.findall(command.rest):
            if plain:
                value = self._value(plain) if plain.startswith(":") else None
                words.append(plain.rstrip(";") if value is None else value)
            else:
                words.append(quoted.replace("''", "'") if quoted else named.replace('""', '"'))
        return words

    def _value(self, variable: str) -> str | None:
        name = variable.strip(":'\"{?}")
        if variable.startswith(":{?"):
            return "TRUE" if name in self._variables else "FALSE"
        value = self._variables.get(name)
        if value is None:
            return None
        if variable[1] == "'":
            return "'" + value.replace("'", "''") + "'"
        if variable[1] == '"':
            return '"' + value.replace('"', '""') + '"'
        return value


def files_of(path: Path) -> Sequence[Path]:
    """The files that a script reads: itself, what it includes, and what it copies. Raises MigrationError."""
    if not re.search(r"\\(?:i|copy)", read_any(path)):
        return (path,)
    reader = Reader(path)
    copied = [part.file for part in reader.parts() if isinstance(part, CopiedFile) and part.file.is_file()]
    return (*reader.files, *copied)


def _database(named: str) -> str:
    """The database of what ``connect`` takes: its name, or a connection string."""
    if match := re.search(r"\bdbname\s*=\s*'?([^'\s]+)", named):
        return match.group(1)
    if match := re.match(r"postgres(?:ql)?://[^/?]*/?([^?]*)", named):
        return match.group(1)
    return named


def _refused(command: Command, remedy: str) -> MigrationError:
    return MigrationError(
        f"\\{command.name} is a command of psql that cannot be obeyed here",
        where=f"{command.path}:{command.line}",
        seen=f"\\{command.name} {command.rest}".strip()[:120],
        remedy=remedy,
    )
