"""Texts that come again and again, told once and pointed at: what keeps a report small."""

from __future__ import annotations


class Texts:
    """Gives each text a number, in the order in which they were first met; texts that are equal share one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def all(self) -> list[str]:
        """All texts, by their numbers."""
        return list(self._numbers)
