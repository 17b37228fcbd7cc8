"""Pages of the documentation, and what their code does when somebody follows them from top to bottom.

Fences of a page, by language:

``sh``
    Each command is run by bash, and must succeed. One that serves until it is stopped is interrupted once it has said
    something.
``console``
    Commands after ``$``, and what they print. Numbers and blanks may differ, ``…`` stands for anything, and so do
    whole lines where the page shows fewer than there are. ``$ echo $?`` shows the exit code of the command before.
``sql``
    Run in the page's database.
``python``
    Executed, all of a page in one namespace.
``toml``, ``json``
    Must parse.
``text``, ``mermaid``, ``yaml``
    Nothing to be done; ``tests/unit/test_workflows.py`` is about workflows.

A fence of any language whose first line is a comment with the name of a file (``# system.toml``) is written to it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from markdown_it import MarkdownIt

from pgcontract.queries import parse_query

SECONDS: Final = 300
INTERRUPTED: Final = 130
NAMED: Final = re.compile(r"(?:--|#) (\S+/?\S*\.\w+)\n")
NOTHING: Final = {"text", "mermaid", "yaml"}
PARSED: Final[Mapping[str, Callable[[str], object]]] = {"toml": tomllib.loads, "json": json.loads}
SERVES: Final = re.compile(r"pgcontract (health serve|server run)\b")


@dataclass(frozen=True, slots=True)
class Fence:
    """``line`` is that of the page on which its text begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Follower:
    """Somebody who follows a page: in a folder, and with names that the page takes for granted.

    Where the databases are, the environment says: DATABASE_URL and libpq's variables. ``names`` are there anew for
    each fence of Python, ``known`` is what those before it have made.

    ``instead`` maps a command to what is run in its place: less of the same, since tests cannot take hours.
    """

    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)

    def follow(self, fence: Fence) -> None:
        """Do what the fence says. Raises AssertionError, or what its code raises."""
        named = NAMED.match(fence.text)
        if named is not None:
            file = self.folder / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(fence.text, encoding="utf-8")
        if fence.language in PARSED:
            PARSED[fence.language](fence.text)
        elif named is None and fence.language not in NOTHING:
            done = {"sh": self._type, "console": self._converse, "sql": self._ask, "python": self._execute}
            assert fence.language in done, f"a fence without a language that anybody knows: {fence.language!r}"
            done[fence.language](fence)

    def _type(self, fence: Fence) -> None:
        for command in commands(fence.text):
            self._run(command)

    def _ask(self, fence: Fence) -> None:
        if "-- uses: " in fence.text:
            parse_query(fence.text, self.folder / "page.sql")
            return
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(fence.text.encode())

    def _execute(self, fence: Fence) -> None:
        self.known.update(self.names)
        # lines are those of the page, in tracebacks too
        exec(compile("\n" * (fence.line - 1) + fence.text, "page", "exec"), self.known)

    def _converse(self, fence: Fence) -> None:
        code = 0
        parts = re.split(r"^\$ ", fence.text, flags=re.MULTILINE)
        assert not parts[0], "a console's text begins with a command"
        for number, part in enumerate(parts[1:], start=1):
            said, _, shown = bare(part).partition("\n")
            if said == "echo $?":
                assert int(shown) == code
                continue
            asked = number + 1 < len(parts) and parts[number + 1].startswith("echo $?")
            printed, code = self._run(said, checked=not asked)
            assert not shown.strip() or shows(printed, shown), (
                f"$ {said}\nprints\n{printed}\nand the page shows\n{shown}"
            )

    def _run(self, command: str, *, checked: bool = True) -> tuple[str, int]:
        command = self.instead.get(command, command)
        if SERVES.search(command):
            return self._served(command)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert not checked or done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout, done.returncode

    def _served(self, command: str) -> tuple[str, int]:
        """Until it has said something; then Ctrl-C, after which it must end as it should."""
        with subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                said = process.stdout.readline()
                process.send_signal(signal.SIGINT)
                said += process.communicate(timeout=SECONDS)[0]
            finally:
                process.kill()
        assert process.returncode in {0, INTERRUPTED}, f"$ {command}\n{said}"
        return said, 0


def fences(page: Path) -> Iterator[Fence]:
    """The page's fences, those within lists and quotes as well."""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "code_block" or (token.type == "fence" and not token.info.startswith("{")):
            assert token.map is not None
            yield Fence(token.info, token.content, token.map[0] + 2)


def commands(text: str) -> list[str]:
    """The commands of a shell's text, one a line."""
    return [line for line in bare(text).splitlines() if line.strip()]


def bare(text: str) -> str:
    """The text without comments, and with lines that end in a backslash put together."""
    return re.sub(r"(?:^|  +)#.*$", "", re.sub(r" *\\\n *", " ", text), flags=re.MULTILINE)


def shows(printed: str, shown: str) -> bool:
    """Whether the shown lines are among those printed, in their order, but for numbers, blanks and ``…``."""
    rest = iter([_plain(line) for line in printed.splitlines()])
    return all(any(_alike(line, known) for line in rest) for known in map(_plain, shown.splitlines()) if known)


def _plain(line: str) -> str:
    return " ".join(re.sub(r"\d[\d.,]*\d|\d", "0", line).split())


def _alike(line: str, known: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, known.split("…"))), line) is not None
