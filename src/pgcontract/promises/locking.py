"""What a function locks, as its body says it: found on the tokens of PostgreSQL's own scanner, never by names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pgcontract.sql import SqlError, scan

STRENGTHS: Final = (
    ("FOR", "NO", "KEY", "UPDATE"),
    ("FOR", "KEY", "SHARE"),
    ("FOR", "UPDATE"),
    ("FOR", "SHARE"),
)
WAITING: Final = (("SKIP", "LOCKED"), ("NOWAIT",))
ADVISORY: Final = ("PG_ADVISORY_", "PG_TRY_ADVISORY_")
WRITES: Final = frozenset({"UPDATE", "DELETE", "INSERT"})
STATEMENT_BEGINS_AFTER: Final = frozenset({";", "BEGIN", "THEN", "ELSE", "LOOP"})


@dataclass(frozen=True, slots=True)
class Locks:
    """``bare``: the body without one of its locks, for each of them. ``written``: rows are, and so locked, too."""

    bare: tuple[str, ...] = ()
    written: bool = False

    def __bool__(self) -> bool:
        return bool(self.bare) or self.written


def locks(body: str) -> Locks:
    """What a body locks; nothing where the scanner does not know it."""
    try:
        tokens = [t for t in scan(body) if "COMMENT" not in t.kind]
    except (SqlError, ValueError):
        return Locks()
    words = [t.text.upper() for t in tokens]
    bare = (body[: tokens[first].start] + new + body[tokens[last].end :] for first, last, new in _found(words))
    written = any(word in WRITES and words[n - 1 : n] not in (["FOR"], ["KEY"]) for n, word in enumerate(words))
    return Locks(tuple(dict.fromkeys(bare)), written)


def clauses(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the locking clauses of queries stand: the first and the last of each one's words, which are in capitals."""
    for n in range(len(words)):
        strength = next((s for s in STRENGTHS if tuple(words[n : n + len(s)]) == s), None)
        if strength is None:
            continue
        last = n + len(strength) - 1
        if words[last + 1 : last + 2] == ["OF"]:
            last += 2
            while words[last + 1 : last + 2] in ([","], ["."]):
                last += 2
        waiting = next((w for w in WAITING if tuple(words[last + 1 : last + 1 + len(w)]) == w), ())
        yield n, last + len(waiting)


def _found(words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Each lock's first and last word, and what is there in its place when it is gone."""
    yield from ((first, last, "") for first, last in clauses(words))
    for n, word in enumerate(words):
        if word == "LOCK" and words[n - 1] in STATEMENT_BEGINS_AFTER and ";" in words[n:]:
            yield n, words.index(";", n), "NULL;"
        if word.startswith(ADVISORY) and words[n + 1 : n + 2] == ["("]:
            yield n - 2 * (words[n - 2 : n] == ["PG_CATALOG", "."]), _closed(words, n + 1), "TRUE"


def _closed(words: Sequence[str], opened: int) -> int:
    """Where the parenthesis that stands there is closed."""
    depth = 0
    for n in range(opened, len(words)):
        depth += (words[n] == "(") - (words[n] == ")")
        if depth == 0:
            return n
    return len(words) - 1
