"""The signs that all commands' output has for good, bad, doubtful and open. They need no library: some start fast."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["good", "bad", "doubtful", "open"]

_SIGNS: Final[dict[State, str]] = {"good": "✓", "bad": "✗", "doubtful": "!", "open": "-"}
_PLAIN: Final[dict[State, str]] = {"good": "ok", "bad": "FAIL", "doubtful": "!", "open": "-"}
# what our own texts hold beside the signs
_SPELT: Final = {"…": "..."}
_HANDLER: Final = "pgcontract.spelt"
_COLOURS: Final[dict[State, str]] = {"good": "32", "bad": "1;31", "doubtful": "33", "open": "2"}


def sign(state: State, encoding: str | None) -> str:
    """The sign of a state; a word where the encoding has no such letter."""
    return (_SIGNS if (encoding or "").lower().startswith("utf") else _PLAIN)[state]


def count(number: float, noun: str) -> str:
    """``1 promise``, ``1,234 promises``, ``2 queries``; ``1.5 seconds``."""
    shown = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    # a vowel before the y keeps it: keys
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{shown} {noun if number == 1 else many}"


def signed(state: State, text: str, rest: str = "") -> str:
    """A line for the standard output that begins with the state's sign, coloured with the text on a terminal."""
    shown = f"{sign(state, sys.stdout.encoding)} {text}"
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return (f"\033[{_COLOURS[state]}m{shown}\033[0m" if coloured else shown) + rest


def spell_out() -> None:
    """Have both outputs write a letter that their encoding lacks as an escape: a name is no reason to fail."""
    codecs.register_error(_HANDLER, _spelt)
    for stream in (sys.stdout, sys.stderr):
        # whoever runs the command within a process of his own may have put another stream there
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _spelt(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    spelt = "".join(_SPELT.get(one) or one.encode("ascii", "backslashreplace").decode("ascii") for one in letters)
    return spelt, error.end
