"""What holds for every command: help with examples that can be run, completion, one look, colours only where wanted."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer

from pgcontract.cli import commands
from pgcontract.errors import UsageError
from pgcontract.report.layout import Column, table
from pgcontract.signs import sign, signed

WIDTHS = (80, 120)


def tree(command: Any, words: tuple[str, ...] = ("pgcontract",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it, groups included."""
    yield words, command
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        yield from tree(command.get_command(None, name), (*words, name))


ALL = {" ".join(words): (words, command) for words, command in tree(typer.main.get_command(commands()))}
LEAVES = [name for name, (_, command) in ALL.items() if not hasattr(command, "list_commands")]


def examples(help_: str) -> list[list[str]]:
    """The commands that a help text shows, without what a shell does around them."""
    shown = re.findall(r"Example: (.*)", help_)
    bare = [re.sub(r'^eval "\$\((.*)\)".*$|^(.*?)(?:\s+[>|].*)?$', r"\1\2", one) for one in shown]
    return [shlex.split(one.replace('"$DATABASE_URL"', "postgresql:///x").replace('"$DSN"', "x")) for one in bare]


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_an_example_that_it_takes(name: str) -> None:
    """Each begins with the command itself, and has no option that is not there."""
    words, command = ALL[name]
    found = examples(command.help or "")
    assert found, f"{name} has no example"
    for one in found:
        assert tuple(one[: len(words)]) == words
        command.make_context(words[-1], one[len(words) :]).close()


@pytest.mark.parametrize("name", ALL)
def test_every_help_fits_eighty_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what each option is for."""
    words, command = ALL[name]
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERMINAL_WIDTH", "80")
        context = command.make_context(words[-1], ["--help"], resilient_parsing=True)
        shown = command.get_help(context) or capsys.readouterr().out
    assert max(map(len, re.sub(r"\033\[[\d;]*m", "", shown).splitlines())) <= 80


@pytest.mark.thorough
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_a_shell(shell: str) -> None:
    """A script that calls this very command."""
    shown = run("completion", shell)
    assert shown.returncode == 0, shown.stderr
    assert f"_PGCONTRACT_COMPLETE=complete_{shell}" in shown.stdout


def test_completion_is_offered_once() -> None:
    """By the command that prints the script; not by the library's own options, too."""
    words, command = ALL["pgcontract"]
    assert "completion" in command.list_commands(None)
    offered = {option for parameter in command.params for option in parameter.opts}
    assert not {option for option in offered if "completion" in option}, words


@pytest.mark.thorough
def test_bash_completes_commands_and_options() -> None:
    """Those of groups that are only loaded when they are asked for, too."""
    script = run("completion", "bash").stdout

    def completed(*words: str) -> set[str]:
        asked = f"""
            {script}
            COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}
            _pgcontract_completion pgcontract; printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True, env=with_us())
        return set(done.stdout.split())

    assert completed("pgcontract", "ver") == {"verify"}
    assert completed("pgcontract", "migrate", "re") == {"rehearse", "repair"}
    assert "--changed-since" in completed("pgcontract", "verify", "--ch")


@pytest.mark.thorough
def test_the_version_is_told() -> None:
    """As whoever reports a fault is asked for it."""
    assert run("--version").stdout == f"pgcontract {version('pgcontract')}\n"


def test_json_is_the_same_everywhere() -> None:
    """One option, with one help: a file, or the standard output."""
    helps = {
        name: parameter.help
        for name, (_, command) in ALL.items()
        for parameter in command.params
        if "--json" in parameter.opts
    }
    assert {"pgcontract verify", "pgcontract bench load", "pgcontract doctor", "pgcontract migrate status"} <= set(
        helps
    )
    (told,) = set(helps.values())
    assert "- for the standard output" in told


@pytest.mark.parametrize("name", ALL)
def test_help_shows_no_type_where_none_is_taken(name: str) -> None:
    """A flag is no `<bool>`; what may be left out has one pair of brackets; paragraphs fill their lines."""
    _, command = ALL[name]
    context = command.make_context("x", [], resilient_parsing=True)
    assert "[[" not in command.get_usage(context)
    for parameter in (*command.params, command.get_help_option(context)):
        if getattr(parameter, "is_flag", False):
            assert not parameter.metavar, f"{name}: {parameter.name}"
            assert parameter.metavar is not None, f"{name}: {parameter.name}"
    assert all("\n" not in paragraph for paragraph in (command.help or "").split("\n\n"))


@pytest.mark.parametrize(
    ("remedy", "told"),
    [("Give a PATH.", "give a PATH"), ("write …", "write …"), ("PostgreSQL 15, or ...", "PostgreSQL 15, or ...")],
)
def test_errors_look_alike(remedy: str, told: str) -> None:
    """Whoever raises them: no full stop after what is to be copied, and a remedy begins like the other lines."""
    assert str(UsageError("It is not so. Or is it.", remedy=remedy)) == f"It is not so. Or is it\n  remedy: {told}"


@pytest.mark.thorough
def test_a_mistyped_command_is_told_with_what_is_near() -> None:
    """Exit code 2, and no traceback."""
    result = run("verfy")
    assert result.returncode == 2
    assert "verify" in result.stderr
    assert "Traceback" not in result.stderr


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pgcontract", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def with_us() -> dict[str, str]:
    """An environment in which this interpreter's `pgcontract` is the first that is found."""
    return {**os.environ, "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"}  # noqa: PTH120


def on_a_terminal(*words: str, **environment: str) -> str:
    """What a terminal is shown."""
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", buffering=0) as shown:
        process = subprocess.Popen(
            [sys.executable, "-m", "pgcontract", *words],
            stdout=follower,
            stderr=follower,
            stdin=follower,
            env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", **environment},
        )
        os.close(follower)
        read = b""
        try:
            while part := shown.read(65536):
                read += part
        except OSError:
            pass  # the other end is closed: on Linux that is an error, and not an end
        process.wait()
    return read.decode()


@pytest.mark.thorough
@pytest.mark.parametrize("words", [("server", "list"), ("migrate", "validate", "schema/optimizer")])
def test_colours_are_for_terminals_alone(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """None in a pipe, none with NO_COLOR; also where no library of tables is loaded."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert "\033[" not in run(*words).stdout
    assert re.search(r"\033\[[\d;]*m", on_a_terminal(*words))
    assert not re.search(r"\033\[(?!0?m)[\d;]*3\d[\d;]*m", on_a_terminal(*words, NO_COLOR="1"))


def test_signs_are_words_where_there_are_no_such_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a line is the same text with and without colours."""
    assert [sign(state, "utf-8") for state in ("good", "bad", "doubtful", "open")] == ["✓", "✗", "!", "-"]
    assert [sign(state, "ascii") for state in ("good", "bad", "doubtful", "open")] == ["ok", "FAIL", "!", "-"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert "\033" not in signed("good", "applied", " 001")


@pytest.mark.thorough
def test_where_there_are_no_such_letters_everything_is_told_all_the_same(tmp_path: Path) -> None:
    """Help, and names of somebody's schema: what the encoding lacks is spelt out, and no traceback."""
    schema = tmp_path / "schema.sql"
    schema.write_text('CREATE TABLE "größe" (id INTEGER PRIMARY KEY);', encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}
    shown = run("freeze", "--help", **plain)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Flyway's ..." in " ".join(shown.stdout.split())
    proven = run("verify", str(schema), "--examples", "1", "-v", **plain)
    assert proven.returncode == 0, proven.stderr
    assert r"gr\xf6\xdfe.id" in proven.stdout


@pytest.mark.parametrize("width", [*WIDTHS, 200])
def test_a_table_fits_its_terminal(width: int) -> None:
    """What is spare is left out before anything is cut, and nothing is where there is room."""
    from rich.console import Console  # noqa: PLC0415 - only here

    console = Console(width=width, record=True, file=StringIO())
    columns = [Column("name"), *(Column(f"number {n}", right=True, spare=n) for n in range(8)), Column("verdict")]
    console.print(table(console, columns, [["x" * 30, *("1,000,000" for _ in range(8)), "[kept]"]]))
    shown = console.export_text().splitlines()
    assert all(len(line.rstrip()) <= width for line in shown)
    assert "…" not in "".join(shown)
    assert "[kept]" in shown[1]
    assert ("number 7" in shown[0]) == (width >= 30 + 8 * 9 + 7 + 9 * 2)
    assert "number 0" in shown[0]
