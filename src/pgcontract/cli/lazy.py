"""A group of commands of which only the one that is asked for is imported: a command starts as fast as it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeAlias

import typer
from typer.core import TyperGroup

Places: TypeAlias = Mapping[str, tuple[str, str, str | None]]


def lazy_group(places: Places) -> type[TyperGroup]:
    """The class of a group whose commands stand elsewhere.

    ``places`` maps a command's name to its module, the name of its function or of its own Typer there, and what help
    says of it, where its docstring does not.
    """

    class LazyGroup(TyperGroup):
        def get_help_option(self, ctx: Any) -> Any:
            return _typeless(super().get_help_option(ctx))

        def list_commands(self, ctx: Any) -> list[str]:
            return [*places, *(name for name in super().list_commands(ctx) if name not in places)]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name in places and cmd_name not in self.commands:
                self.commands[cmd_name] = _command(cmd_name, *places[cmd_name])
            return super().get_command(ctx, cmd_name)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            known = self.list_commands(ctx)
            if args and not args[0].startswith("-") and args[0] not in known:
                near = get_close_matches(args[0], known)
                meant = f" Did you mean {' or '.join(near)}?" if near else f" There are {', '.join(known)}."
                ctx.fail(f"No such command '{args[0]}'.{meant}")
            return super().resolve_command(ctx, args)

    return LazyGroup


def _command(name: str, module: str, attribute: str, described: str | None) -> Any:
    found: typer.Typer | Callable[..., Any] = getattr(import_module(module), attribute)
    around = typer.Typer(add_completion=False)
    # without a callback, a Typer of one command is that command
    around.callback()(_nothing)
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name, help=described)
    else:
        around.command(name, help=described)(found)
    return _tidied(typer.main.get_group(around).commands[name])


def _tidied(command: Any) -> Any:
    """The command, with help that reads as prose does, and with no type beside an option that takes no value."""
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n"))
    for parameter in command.params:
        _typeless(parameter)
    made = command.get_help_option
    # it is made when it is asked for
    command.get_help_option = lambda ctx: _typeless(made(ctx))
    for below in getattr(command, "commands", {}).values():
        _tidied(below)
    return command


def _typeless(parameter: Any) -> Any:
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""
    return parameter


def _nothing() -> None:
    """Do nothing."""
