"""Ways of its own that a body has for what is plain: ``IF … THEN …; RETURN NULL; END IF;`` before the way for all.

A change that keeps rows from such a way changes nothing where the way for all does the same. Whether it does is for
rows to show: so a body is made that raises an error where it would take the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pgcontract.model import Function
from pgcontract.promises.definitions import create_function
from pgcontract.promises.mutants.base import Detour
from pgcontract.promises.mutants.bodies import Planted
from pgcontract.rows.statements import Statement
from pgcontract.sql import Token, scan

REACHED: Final = "PGC02"
RAISED: Final = f" RAISE EXCEPTION 'a way of its own' USING ERRCODE = '{REACHED}';"


@dataclass(frozen=True, slots=True)
class _Block:
    """Offsets of an IF, of what is behind its THEN, of its last RETURN, and of what is behind its END IF."""

    start: int
    inside: int
    returns: int
    end: int


def detours(function: Function, defect: Planted) -> Iterator[Detour]:
    """The ways of its own that a defect may keep rows from: it stands before one, in its condition, or is its loss.

    Without its RETURN, rows go the way for all afterwards, too.
    """
    for block in _blocks(function.body):
        sound = _raising(function, function.body, block.inside)
        if (defect.start, defect.end) == (block.start, block.end) or defect.start == block.returns:
            yield Detour(sound, None)
        elif defect.end < block.inside:
            grown = len(defect.body) - len(function.body)
            yield Detour(sound, _raising(function, defect.body, block.inside + grown))


def _raising(function: Function, body: str, at: int) -> Statement:
    return create_function(replace(function, body=body[:at] + RAISED + body[at:]))


def _blocks(body: str) -> Iterator[_Block]:
    """Every IF without an ELSE whose last statement is RETURN."""
    tokens = [t for t in scan(body) if "COMMENT" not in t.kind]
    words = [t.text.upper() for t in tokens]
    for n, word in enumerate(words):
        if word == "IF" and n and words[n - 1] != "END" and words[n - 1] in {";", "BEGIN", "THEN", "ELSE", "LOOP"}:
            found = _block(tokens, words, n)
            if found is not None:
                yield found


def _block(tokens: Sequence[Token], words: Sequence[str], n: int) -> _Block | None:
    depth, last, case = 0, 0, 0
    inside = words.index("THEN", n)
    for m in range(n, len(words)):
        case += (words[m] == "CASE") - (words[m] == "END" and words[m + 1] not in {"IF", "LOOP", ";"} and case > 0)
        if words[m] == "IF":
            depth += -1 if words[m - 1] == "END" else 1
            if depth == 0:
                if words[last] != "RETURN":
                    return None
                return _Block(tokens[n].start, tokens[inside].end, tokens[last].start, tokens[m + 1].end)
        elif depth == 1 and not case and words[m] in {"ELSE", "ELSIF"}:
            return None
        elif words[m] == "RETURN" or (words[m - 1] in {";", "THEN"} and words[m] != "END"):
            last = m
    return None
