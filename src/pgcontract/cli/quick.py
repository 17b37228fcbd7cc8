"""The way past the option library, for commands that run at every deployment: it alone takes longer than they do.

Only what is plainly right is read here: everything else (help, mistakes, abbreviations) is left to the usual way, which
says the same in every command.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

# an option, the parameter that it sets, and what makes its value; None for a flag, which sets True or what stands there
Options: TypeAlias = Mapping[str, tuple[str, Callable[[str], Any] | None]]

# what PostgreSQL takes for a time limit, in whole milliseconds
MOST_SECONDS: Final = 2_147_483
_DATABASE: Final[Options] = {"--dsn": ("dsn", str)}
_TIMES: Final[Options] = {
    "--wait": ("wait", float),
    "--lock-timeout": ("lock_timeout", float),
    "--statement-timeout": ("statement_timeout", float),
    "--to": ("to", int),
    "--allow-edited": ("allow_edited", None),
}
# a command's positional parameters, and its options
COMMANDS: Final[Mapping[str, tuple[tuple[tuple[str, Callable[[str], Any]], ...], Options]]] = {
    "up": (
        (("path", Path),),
        {
            **_DATABASE,
            **_TIMES,
            "--dry-run": ("dry_run", None),
            "--init": ("init", None),
            "--allow-missing": ("allow_missing", None),
            "--allow-out-of-order": ("allow_out_of_order", None),
        },
    ),
    "down": ((("path", Path), ("steps", int)), {**_DATABASE, **_TIMES}),
    "status": ((("path", Path),), {**_DATABASE, "--json": ("json_file", Path), "--exit-code": ("exit_code", None)}),
}


def run(words: Sequence[str]) -> int | None:
    """Run `migrate up`, `down` or `status`, and give its exit code; None where the words are not plainly such."""
    if len(words) < 2 or words[0] != "migrate" or words[1] not in COMMANDS:
        return None
    parameters = read(words[1], words[2:])
    if parameters is None:
        return None
    # a process of a tenth of a second has no garbage to look for
    gc.set_threshold(100_000)
    from pgcontract.cli import migrating  # noqa: PLC0415 - the other commands do without

    command: Callable[..., int] = getattr(migrating, words[1])
    return command(**parameters)


def read(command: str, words: Sequence[str]) -> dict[str, Any] | None:
    """The parameters that the words give, or None where they are not plainly right."""
    positional, options = COMMANDS[command]
    waiting = list(positional)
    parameters: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        name, make, value = "", None, word
        if word.startswith("-") and word != "-":
            option, _, given = word.partition("=")
            if option not in options:
                return None
            name, make = options[option]
            if make is None:
                if given:
                    return None
                parameters[name] = True
                continue
            value = given or next(rest, "")
        elif waiting:
            name, make = waiting.pop(0)
        if make is None or not value:
            return None
        try:
            parameters[name] = make(value)
        except ValueError:
            return None
    # nan is none of these either
    plain = all(0 <= v <= MOST_SECONDS for v in parameters.values() if isinstance(v, float))
    return parameters if plain else None
