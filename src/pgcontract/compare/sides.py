"""What is compared: two majors, two commits or two folders, each as a schema system and the major to run it on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pgcontract.commits import committed
from pgcontract.errors import UsageError
from pgcontract.system import System

COMMIT: Final = "git:"
_MAJOR: Final = re.compile(r"(?:pg)?(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Side:
    """A schema system, what the user calls it, and the major version that it is to run on; None for the default."""

    label: str
    system: System
    major: int | None


def needs_path(a: str, b: str) -> bool:
    """Whether neither says which system is meant, so that its folder is to be given."""
    return all(_major(one) is not None or one.startswith(COMMIT) for one in (a, b))


@contextmanager
def sides(a: str, b: str, *, path: Path | None, major: int | None) -> Iterator[tuple[Side, Side]]:
    """The two sides that words such as ``15``, ``pg18``, ``git:main`` and ``schema/shop`` name.

    ``path`` is the system of majors and of commits; a commit beside a folder is of that folder. Commits are written out
    into temporary folders, which are gone afterwards. Raises UsageError.
    """
    majors = _major(a), _major(b)
    if (majors[0] is None) != (majors[1] is None):
        raise UsageError(
            "A major version is compared with another one only.",
            seen=f"{a} and {b}",
            remedy="Give two majors, or two commits or folders with --pg.",
        )
    if majors != (None, None) and major is not None:
        raise UsageError("--pg says what the two majors say already.", seen=f"{a} and {b}", remedy="Leave it out.")
    folders = [Path(one) for one in (a, b) if _major(one) is None and not one.startswith(COMMIT)]
    where = path if path is not None else next(iter(folders), None)
    with ExitStack() as stack:

        def side(word: str, own: int | None) -> Side:
            if own is None and not word.startswith(COMMIT):
                return Side(word, System.load(Path(word)), major)
            if where is None:
                raise UsageError("Which schema?", seen=word, remedy="Give --path.")
            if own is not None:
                return Side(f"PostgreSQL {own}", System.load(where), own)
            then = stack.enter_context(committed(where, word.removeprefix(COMMIT)))
            if then is None:
                raise UsageError(
                    "The schema system is not in this commit.",
                    seen=f"{where} in {word}",
                    remedy="Name a commit that has it, or its folder as it was called then.",
                )
            return Side(word, System.load(then), major)

        yield side(a, majors[0]), side(b, majors[1])


def _major(word: str) -> int | None:
    found = _MAJOR.fullmatch(word)
    return None if found is None else int(found[1])
