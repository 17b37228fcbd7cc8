"""Why a changed body does the same: rules on its tokens, each an argument of its own."""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

COMPARISONS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "=": op.eq,
    "<>": op.ne,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
}
STRICT: Final = frozenset({("<", "<="), ("<=", "<"), (">", ">="), (">=", ">")})
BLOCKS: Final = frozenset({"LOOP", "BEGIN"})
NOTHING: Final = (["END"], ["END", "LOOP"], ["EXIT"], ["NULL"])
"""Ends of blocks, and statements that change no row."""
CLOCK: Final = ("CLOCK_TIMESTAMP", "(", ")")


def same(words: Sequence[str], first: int, last: int, new: str) -> str | None:
    """Why a body whose tokens from ``first`` to ``last`` are replaced does what it did; None where it may not.

    ``words`` are the body's tokens in capital letters.
    """
    rules = (_clock, _tags, _empty_loop, _null_loop, _undistinguished, _greatest, _never_nothing)
    return next((reason for rule in rules if (reason := rule(words, first, last, new.upper())) is not None), None)


def _clock(words: Sequence[str], first: int, last: int, new: str) -> str | None:
    """``<= clock_timestamp()`` and ``<`` are the same."""
    if first != last or (words[first], new) not in STRICT:
        return None
    if CLOCK in (tuple(words[first + 1 : first + 4]), tuple(words[max(first - 3, 0) : first])):
        return "clock_timestamp() is another at each call: nothing is equal to it"
    return None


def _tags(words: Sequence[str], first: int, last: int, new: str) -> str | None:
    """``sign < 0``, ``sign < 1`` and ``sign <= 0`` are the same where sign is -1 or 1."""
    if first != last:
        return None
    at = first if words[first] in COMPARISONS else first - (2 if words[first - 1] == "-" else 1)
    if words[at] not in COMPARISONS or at == 0:
        return None
    name, values = words[at - 1], _tagged(words, words[at - 1])
    signed = words[at + 1] == "-"
    number = words[at + 1 + signed]
    if not values or not number.isdigit():
        return None
    before = (words[at], -int(number) if signed else int(number))
    shifted = new.strip("()")
    if first == at:
        after = (new, before[1])
    elif shifted.lstrip("-").isdigit():
        after = (words[at], -int(shifted) if signed else int(shifted))
    else:
        return None
    if after[0] not in COMPARISONS:
        return None
    holds = [[COMPARISONS[how](value, bound) for value in sorted(values)] for how, bound in (before, after)]
    if holds[0] != holds[1]:
        return None
    return f"{name.lower()} is only ever {' or '.join(map(str, sorted(values)))}: the condition holds for the same ones"


def _tagged(words: Sequence[str], name: str) -> set[int]:
    """The constants that a name stands for, where it stands for nothing else."""
    found: set[int] = set()
    for n, word in enumerate(words):
        if word != name:
            continue
        before, after = words[n - 1] if n else "", words[n + 1] if n + 1 < len(words) else ""
        if after in {":=", "("} or before in {".", "INTO", "DECLARE", ";"}:
            return set()
        if before == "AS":
            if not words[n - 2].isdigit() or words[n - 3] not in {",", "SELECT", "-"}:
                return set()
            found.add(-int(words[n - 2]) if words[n - 3] == "-" else int(words[n - 2]))
    return found


def _empty_loop(words: Sequence[str], first: int, last: int, new: str) -> str | None:
    """``FOR i IN 1 .. COALESCE(cardinality(ids), 0)`` may begin at 0, or go on to 1: there ``ids[i]`` is NULL."""
    for n, (ids, start, end) in _counted(words).items():
        begins = first == last == n + 3 and new == "(0)"
        ends = first == last == end and new in {"1", "(-1)"}
        if (begins or ends) and words[n + 3] == "1" and words[end] == "0":
            entry = [ids, "[", words[n + 1], "]"]
            if new == "(-1)" or all(_nothing(statement, entry) for statement in _loop(words, start)):
                return "the loop runs no further than before, or once more for NULL, which equals no row's key"
    return None


def _counted(words: Sequence[str]) -> dict[int, tuple[str, int, int]]:
    """Where loops over an array's entries begin: the array, its LOOP, and the constant for an empty one."""
    found: dict[int, tuple[str, int, int]] = {}
    for n, word in enumerate(words):
        tail = list(words[n + 5 : n + 14])
        if word != "FOR" or len(tail) < 9 or words[n + 2] != "IN" or words[n + 4] != "..":
            continue
        if tail[:4] == ["COALESCE", "(", "CARDINALITY", "("] and tail[5:7] == [")", ","] and tail[8] == ")":
            found[n] = tail[4], n + 14, n + 12
    return found


def _null_loop(words: Sequence[str], first: int, last: int, new: str) -> str | None:
    """``FOR key IN SELECT … WHERE key IS NOT NULL`` without the condition: once more for NULL."""
    if new != "TRUE" or list(words[last - 2 : last + 1]) != ["IS", "NOT", "NULL"] or last - first != 3:
        return None
    start = next((n for n in range(first, 0, -1) if words[n] in {"FOR", ";"}), 0)
    if words[start] != "FOR" or words[start + 2] != "IN" or words[start + 3] != "SELECT":
        return None
    if words[first] not in (words[start + 4], words[start + 5]) or "LOOP" not in words[last:]:
        return None
    statements = list(_loop(words, words.index("LOOP", last)))
    if statements and all(_nothing(statement, [words[start + 1]]) for statement in statements):
        return "the loop runs once more, for NULL, which equals no row's key"
    return None


def _undistinguished(words: Sequence[str], first: int, last: int, new: str) -> str | None:
    """``NEW.x`` and ``OLD.x`` are the same within ``IF NEW.x IS NOT DISTINCT FROM OLD.x``, until NEW.x is written."""
    if first != last or {words[first], new} != {"NEW", "OLD"} or words[first + 1] != "." or words[first + 3] == ":=":
        return None
    column = words[first + 2]
    condition = ["IF", "NEW", ".", column, "IS", "NOT", "DISTINCT", "FROM", "OLD", ".", column, "THEN"]
    for n in range(first - len(condition), -1, -1):
        if words[n] == "IF" and (words[n - 1] == "END" or list(words[n : n + len(condition)]) == condition):
            break
    else:
        return None
    within = list(words[n + len(condition) : first])
    target = ["NEW", ".", column, ":="]
    written = any(within[m : m + 4] == target and ";" in within[m:] for m in range(len(within)))
    if words[n - 1] == "END" or written:
        return None
    return f"NEW.{column.lower()} and OLD.{column.lower()} are not distinct there"


def _greatest(words: Sequence[str], first: int, last: int, new: str) -> str | None:
    """``CASE WHEN (a, x) > (b, y) THEN x ELSE y END`` and the same with ``>=``."""
    if first != last or (words[first], new) not in STRICT or words[first - 1] != ")" or words[first + 1] != "(":
        return None
    opened = next((n for n in range(first - 1, 0, -1) if words[n] == "("), 0)
    closed = next((n for n in range(first + 1, len(words)) if words[n] == ")"), 0)
    one, other = _last(words[opened + 1 : first - 1]), _last(words[first + 2 : closed])
    chosen = ["THEN", *one, "ELSE", *other, "END"]
    if words[opened - 1] != "WHEN" or list(words[closed + 1 : closed + 1 + len(chosen)]) != chosen:
        return None
    return "where the two are equal, so is what is chosen"


def _last(words: Sequence[str]) -> list[str]:
    """The last of several expressions."""
    commas = [n for n, word in enumerate(words) if word == ","]
    return list(words[commas[-1] + 1 if commas else 0 :])


def _never_nothing(words: Sequence[str], first: int, last: int, new: str) -> str | None:
    """``difference.number > 0`` and ``>= 0``, ``> -1`` are the same where HAVING leaves no 0 of whole numbers."""
    at = first if words[first] in COMPARISONS else first - 1
    if first != last or list(words[at : at + 2]) != [">", "0"] or words[at - 2] != "." or new not in {">=", "(-1)"}:
        return None
    record, name = words[at - 3], words[at - 1]
    start = next((n for n in range(at, 0, -1) if list(words[n : n + 3]) == ["FOR", record, "IN"]), 0)
    query = list(words[start : words.index("LOOP", start)]) if start else []
    for n in (n for n, word in enumerate(query) if word == name and query[n - 1] == "AS"):
        begins = max(m for m in range(n) if query[m] in {",", "SELECT"})
        summed = query[begins + 1 : n - 1]
        whole = summed[:2] == ["COUNT", "("] or (summed[:2] == ["SUM", "("] and bool(_tagged(words, summed[2])))
        if whole and _ends_with(query, ["HAVING", *summed, "<>", "0"]):
            return f"HAVING leaves no {name.lower()} of 0, and it is a whole number"
    return None


def _ends_with(query: Sequence[str], condition: Sequence[str]) -> bool:
    """Whether this is all of a query's HAVING."""
    n = next((m for m in range(len(query)) if list(query[m : m + len(condition)]) == list(condition)), None)
    return n is not None and (n + len(condition) == len(query) or query[n + len(condition)] == "ORDER")


def _loop(words: Sequence[str], start: int) -> Iterator[list[str]]:
    """The statements of a loop whose LOOP stands there, also those of blocks and loops within.

    One that is no statement where there are others, such as conditions.
    """
    statement: list[str] = []
    within = 0
    for n in range(start + 1, len(words)):
        word = words[n]
        if word in BLOCKS and not statement:
            within += 1
        elif word == "END" and not statement:
            if not within:
                return
            within -= 1
            statement = [word]
        elif word == ";":
            yield statement
            statement = []
        else:
            statement.append(word)


def _nothing(statement: Sequence[str], entry: Sequence[str]) -> bool:
    """Whether a statement does nothing where this is NULL: its rows are those whose key equals it."""
    if statement in NOTHING or (statement[0] == "EXCEPTION" and statement[-2:] == ["THEN", "NULL"]):
        return True
    if statement[0] not in {"UPDATE", "DELETE", "PERFORM"} or "WHERE" not in statement:
        return False
    depth, condition = 0, len(statement) - 1 - list(reversed(statement)).index("WHERE")
    for word in statement[condition:]:
        depth += (word == "(") - (word == ")")
        if word == "OR" and depth == 0:
            return False
    where = list(statement[condition + 1 :])
    size = len(entry) + 1
    return any(
        where[n : n + size] == ["=", *entry] and (n + size == len(where) or where[n + size] in {"AND", "FOR"})
        for n in range(len(where))
    )
