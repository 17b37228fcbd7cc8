"""A TOML table that is read strictly: what is missing, unknown or of a wrong type is told with its place. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

from pgcontract.contract.fields import Mismatch, fields_of
from pgcontract.contract.toml import key
from pgcontract.errors import ContractError

T = TypeVar("T")

REMEDY = "Correct the file by hand, or write it anew with `pgcontract freeze`."


class Section:
    """One table of the file. Every key must be taken before ``close``."""

    def __init__(self, plain: dict[str, Any], path: tuple[str, ...], *, where: str, text: str) -> None:
        self._plain = dict(plain)
        self._path = path
        self._where = where
        self._text = text
        self._known: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._plain

    def fail(self, what: str, *path: str, seen: object = None, remedy: str = REMEDY) -> NoReturn:
        """Raise ContractError about something in this section."""
        full = (*self._path, *path)
        line = _line_of(self._text, full)
        place = f"{self._where}, line {line}" if line else self._where
        raise ContractError(
            what,
            where=f"{place}: {key(*full)}" if full else place,
            seen=None if seen is None else repr(seen)[:200],
            remedy=remedy,
        )

    def take(self, name: str, decode: Callable[[Any], T], default: Any = MISSING) -> T:
        """The value of a key. Raises ContractError where it is missing without a default, or not of its type."""
        self._known.add(name)
        if name not in self._plain:
            if default is MISSING:
                self.fail(f"{key(name)} is missing.", name)
            found: T = default
            return found
        plain = self._plain.pop(name)
        try:
            return decode(plain)
        except Mismatch as error:
            self.fail(f"{key(name)} must be {error.wanted}.", name, seen=error.seen)

    def fields(self, cls: type, *, leave_out: frozenset[str] = frozenset(), **given: Any) -> dict[str, Any]:
        """All fields of a dataclass of the model, those of ``given`` as they are."""
        found = dict(given)
        for name, field in fields_of(cls).items():
            if name not in given and name not in leave_out:
                found[name] = self.take(name, field.decode, field.default)
        return found

    def section(self, name: str) -> Section:
        """A table below this one; an empty one where it is not there."""
        self._known.add(name)
        plain = self._plain.pop(name, {})
        if not isinstance(plain, dict):
            self.fail(f"{key(name)} must be a table.", name, seen=plain)
        return Section(plain, (*self._path, name), where=self._where, text=self._text)

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Every table below this one, by name, in the order of the file."""
        for name in list(self._plain):
            yield name, self.section(name)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Every key with its value, taken."""
        for name in list(self._plain):
            yield name, self._plain.pop(name)

    def close(self) -> None:
        """Raise ContractError if a key is left that nobody knows."""
        for name in self._plain:
            close = get_close_matches(name, sorted(self._known), n=1)
            self.fail(
                f"{key(name)} is not known here.",
                name,
                remedy=f"Did you mean {close[0]}?" if close else REMEDY,
            )


def _line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line that says the path, as ``freeze`` lays the file out; the nearest one above it where there is none."""
    lines = text.split("\n")
    for depth in range(len(path), 0, -1):
        header = f"[{key(*path[:depth])}]"
        if header in lines:
            start = lines.index(header) + 1
            return _line_in(lines, start, path[depth:]) or start
    found = _line_in(lines, 0, path)
    if found is None and path:
        opening = f"[{key(*path)}."
        return next((number for number, line in enumerate(lines, 1) if line.startswith(opening)), None)
    return found


def _line_in(lines: list[str], start: int, path: tuple[str, ...]) -> int | None:
    """The line of a key between two headers: of the whole path, or of as much of it as stands there."""
    end = next((number for number in range(start, len(lines)) if lines[number].startswith("[")), len(lines))
    for depth in range(len(path), 0, -1):
        name = key(*path[:depth])
        for number in range(start, end):
            if lines[number].startswith((f"{name} =", f"{name}.")):
                return number + 1
    return None
