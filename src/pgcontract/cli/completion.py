"""``pgcontract completion``: what a shell needs to complete commands, options and paths."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

# where typer's own options have them from
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

from pgcontract.cli import COMPLETE

PROGRAM = "pgcontract"


class Shell(StrEnum):
    """A shell that completes."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell that you use.", show_default=False)]) -> None:
    """Print the script that has a shell complete this command.

    Example: eval "$(pgcontract completion bash)"   (in ~/.bashrc; zsh in ~/.zshrc)

    Example: pgcontract completion fish > ~/.config/fish/completions/pgcontract.fish
    """
    typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=COMPLETE, shell=shell.value))


def begin() -> None:
    """Be ready for a shell that asks."""
    completion_init()
