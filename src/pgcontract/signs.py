"""The signs that all commands' output has for good, bad, doubtful and open. They need no library: some start fast."""

from __future__ import annotations

import os
import sys
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["good", "bad", "doubtful", "open"]

_SIGNS: Final[dict[State, str]] = {"good": "✓", "bad": "✗", "doubtful": "!", "open": "-"}
_PLAIN: Final[dict[State, str]] = {"good": "ok", "bad": "FAIL", "doubtful": "!", "open": "-"}
_COLOURS: Final[dict[State, str]] = {"good": "32", "bad": "1;31", "doubtful": "33", "open": "2"}


def sign(state: State, encoding: str | None) -> str:
    """The sign of a state; a word where the encoding has no such letter."""
    return (_SIGNS if (encoding or "").lower().startswith("utf") else _PLAIN)[state]


def signed(state: State, text: str, rest: str = "") -> str:
    """A line for the standard output that begins with the state's sign, coloured with the text on a terminal."""
    shown = f"{sign(state, sys.stdout.encoding)} {text}"
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return (f"\033[{_COLOURS[state]}m{shown}\033[0m" if coloured else shown) + rest
