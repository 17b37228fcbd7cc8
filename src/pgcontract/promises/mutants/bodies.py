"""Defects planted in PL/pgSQL bodies, one small change each, on the tokens of PostgreSQL's own scanner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pgcontract.promises.mutants.sameness import same
from pgcontract.sql import scan

OPERATORS: Final[Mapping[str, tuple[str, ...]]] = {
    "=": ("<>",),
    "<>": ("=",),
    "<": ("<=", ">"),
    ">": (">=", "<"),
    "<=": ("<",),
    ">=": (">",),
    "+": ("-",),
    "-": ("+",),
    "AND": ("OR",),
    "OR": ("AND",),
    "GREATEST": ("LEAST",),
    "LEAST": ("GREATEST",),
    "MAX": ("MIN",),
    "MIN": ("MAX",),
    "ASC": ("DESC",),
    "TRUE": ("FALSE",),
    "FALSE": ("TRUE",),
    "EXISTS": ("NOT EXISTS",),
    "FOUND": ("NOT FOUND",),
}
PAIRS: Final[Mapping[tuple[str, str], str]] = {
    ("IS", "NULL"): "IS NOT NULL",
    ("IS", "DISTINCT"): "IS NOT DISTINCT",
    ("UNION", "ALL"): "UNION",
}
OTHERS: Final[Mapping[str, str]] = {"NEW": "OLD", "OLD": "NEW"}
CONDITION_BEGINS: Final = {"IF", "ELSIF", "WHEN", "WHERE", "HAVING"}
CONDITION_ENDS: Final = {
    "THEN",
    "LOOP",
    ";",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "UNION",
    "FOR",
    "RETURNING",
    "OFFSET",
}
STATEMENT_BEGINS_AFTER: Final = {";", "BEGIN", "THEN", "ELSE", "LOOP"}
COMPOUND: Final = {"IF", "FOR", "LOOP", "CASE", "END", "ELSE", "ELSIF", "BEGIN", "EXCEPTION", "WHILE"}


@dataclass(frozen=True)
class Planted:
    """A defect: what was done where, and the body with it. ``place`` is the line of code, ``number`` counts in it.

    ``start`` and ``end`` are where the tokens stood that were replaced. ``equivalent``: why nothing can tell it from
    the sound body, if there is such a reason.
    """

    operator: str
    place: str
    number: int
    what: str
    body: str
    start: int = 0
    end: int = 0
    equivalent: str | None = None

    def __str__(self) -> str:
        return f"{self.operator}: {self.what} in {self.place}" + (f" ({self.number})" if self.number > 1 else "")


def planted(body: str, swaps: Mapping[str, str] = OTHERS) -> Iterator[Planted]:
    """Every defect that can be planted in a body by one change; ``swaps`` are names to confuse with each other."""
    seen = {body}
    named: Counter[str] = Counter()
    for defect in _Body(body, swaps).defects():
        if defect.body not in seen:
            seen.add(defect.body)
            named[str(defect)] += 1
            yield replace(defect, number=named[str(defect)])


class _Body:
    def __init__(self, body: str, swaps: Mapping[str, str]) -> None:
        self._body, self._swaps = body, swaps
        self._tokens = [t for t in scan(body) if "COMMENT" not in t.kind]
        self._words = [t.text.upper() for t in self._tokens]
        self._start = self._words.index("BEGIN")

    def defects(self) -> Iterator[Planted]:
        yield from self._statements()
        yield from self._compounds()
        yield from self._conditions()
        yield from self._words_replaced()
        yield from self._assignments()

    def _cut(self, operator: str, first: int, last: int, new: str = "") -> Planted:
        """The body with the tokens from ``first`` to ``last`` replaced."""
        start, end = self._tokens[first].start, self._tokens[last].end
        old = " ".join(self._body[start:end].split())
        what = f"{old[:70]}{'…' if len(old) > 70 else ''} → {new[:40] or 'nothing'}"
        begin = self._body.rfind("\n", 0, start) + 1
        place = self._body[begin : self._body.find("\n", start)].strip()
        body = self._body[:start] + new + self._body[end:]
        return Planted(operator, place, 1, what, body, start, end, same(self._words, first, last, new))

    def _statements(self) -> Iterator[Planted]:
        for n in range(self._start + 1, len(self._tokens)):
            if self._words[n - 1] in STATEMENT_BEGINS_AFTER and self._words[n] not in COMPOUND | {";"}:
                # a THEN of CASE within SQL begins no statement
                if self._words[n - 1] in {"THEN", "ELSE"} and self._in_case(n):
                    continue
                end = self._words.index(";", n)
                yield self._cut("delete_statement", n, end, "NULL;")

    def _compounds(self) -> Iterator[Planted]:
        for n in range(self._start + 1, len(self._tokens)):
            if self._words[n - 1] in STATEMENT_BEGINS_AFTER and self._words[n] in {"IF", "FOR"}:
                depth = 0
                for m in range(n, len(self._tokens)):
                    word, before = self._words[m], self._words[m - 1]
                    if word in {"IF", "LOOP"}:
                        depth += -1 if before == "END" else 1
                        if depth == 0:
                            yield self._cut("delete_statement", n, m + 1, "NULL;")
                            break

    def _in_case(self, n: int) -> bool:
        depth = 0
        for m in range(n - 1, -1, -1):
            if self._words[m] == "END":
                depth += 1
            if self._words[m] == "CASE":
                if depth == 0:
                    return True
                depth -= 1
            if self._words[m] == ";":
                return False
        return False

    def _conditions(self) -> Iterator[Planted]:
        for n in range(self._start + 1, len(self._tokens)):
            if self._words[n] not in CONDITION_BEGINS or self._words[n - 1] == "END":
                continue
            last = self._condition_end(n + 1)
            yield self._cut("negate_condition", n + 1, last, f"NOT ({self._text(n + 1, last)})")
            parts = list(self._parts(n + 1, last))
            if len(parts) > 1:
                for number, (first, end) in enumerate(parts):
                    if number == 0:
                        yield self._cut("drop_condition", first, parts[1][0] - 1)
                    else:
                        yield self._cut("drop_condition", parts[number - 1][1] + 1, end)
            elif self._words[n] == "WHERE":
                yield self._cut("drop_condition", n + 1, last, "TRUE")

    def _text(self, first: int, last: int) -> str:
        return self._body[self._tokens[first].start : self._tokens[last].end]

    def _condition_end(self, n: int) -> int:
        depth = 0
        for m in range(n, len(self._tokens)):
            word = self._words[m]
            if depth == 0 and (word in CONDITION_ENDS or word == ")"):
                return m - 1
            depth += (word == "(") - (word == ")")
        return len(self._tokens) - 1

    def _parts(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        depth, start = 0, first
        for m in range(first, last + 1):
            word = self._words[m]
            depth += (word == "(") - (word == ")")
            if depth == 0 and word in {"AND", "OR"}:
                yield start, m - 1
                start = m + 1
        yield start, last

    def _words_replaced(self) -> Iterator[Planted]:
        for n, (token, word) in enumerate(zip(self._tokens, self._words, strict=True)):
            before, after = self._words[n - 1] if n else "", self._words[n + 1] if n + 1 < len(self._words) else ""
            if n <= self._start and not (word.isdigit() and before == ":="):
                continue
            if word == "=" and self._assigns(n):
                continue
            for new in OPERATORS.get(word, ()):
                yield self._cut("replace_operator", n, n, new)
            if (word, after) in PAIRS:
                yield self._cut("replace_operator", n, n + 1, PAIRS[word, after])
            if word == "NOT" and after not in {"NULL", "DISTINCT"}:
                yield self._cut("drop_not", n, n)
            if token.kind == "ICONST":
                yield self._cut("shift_constant", n, n, str(int(word) + 1))
                yield self._cut("shift_constant", n, n, f"({int(word) - 1})")
            if token.kind == "SCONST":
                yield self._cut("change_text", n, n, "'another'")
            swap = self._swaps.get(token.text)
            if swap is not None and after != ":=":
                yield self._cut("swap_names", n, n, swap)

    def _assigns(self, n: int) -> bool:
        """Whether an equals sign stands in SET."""
        depth = 0
        for m in range(n - 1, -1, -1):
            word = self._words[m]
            depth += (word == ")") - (word == "(")
            if depth == 0 and word in {"WHERE", ";", "THEN", "AND", "WHEN", "IF"}:
                return False
            if depth == 0 and word == "SET":
                return True
            if depth < 0:
                return False
        return False

    def _assignments(self) -> Iterator[Planted]:
        for n, word in enumerate(self._words):
            if word != "SET":
                continue
            bounds = [n]
            depth, end = 0, n
            for m in range(n + 1, len(self._words)):
                depth += (self._words[m] in {"(", "CASE"}) - (self._words[m] in {")", "END"})
                if depth == 0 and self._words[m] == ",":
                    bounds.append(m)
                if depth == 0 and self._words[m] in {"WHERE", ";"}:
                    end = m
                    break
            bounds.append(end)
            for number in range(len(bounds) - 1) if len(bounds) > 2 else ():
                first, last = bounds[number], bounds[number + 1] - 1
                # the first one goes with the comma behind it, any other with the one before
                yield (
                    self._cut("drop_assignment", first + 1, last + 1)
                    if number == 0
                    else self._cut("drop_assignment", first, last)
                )
