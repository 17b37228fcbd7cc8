"""The state machine: which kinds of changes follow each other in a history. ``rows.moves`` draws what they change.

It is none of Hypothesis' machines. Those were tried: with a draw a rule they chose kinds of changes so unevenly, and
repeated so much of earlier histories, that planted defects took two to four times as many steps to find; and their
shrinking drops rules, where ``history.smallest`` cuts the statements themselves down, with one round trip a try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from random import Random

from pgcontract.invariants.exploring import Explorer
from pgcontract.rows.moves import Draft, Moves, NothingToDo

STEPS = 40
"""The most steps of one history."""
FIRST_KEY = 100
KEPT = 0.75
"""How likely a history has each kind of change: histories of a few kinds come to states that others never see."""
ROWS_AT_FIRST = 2
TRESPASSING = 0.5


def run(explorer: Explorer, numbers: Iterable[int], seed: int) -> None:
    """Try the histories of these numbers: each is the same for the same seed, whatever was tried before it."""
    for number in numbers:
        if explorer.done:
            return
        _History(explorer, Random(f"{seed} {number}"), number).run()


class _History:
    """One history: rows of the tables that one invariant speaks of, then whatever may be done to rows."""

    def __init__(self, explorer: Explorer, random: Random, number: int) -> None:
        self._explorer = explorer
        self._random = random
        explorer.begin(random)
        tables = explorer.terrain.tables
        self._moves = Moves(
            explorer.terrain, explorer.known, explorer.focus, tables[number % len(tables)], number=FIRST_KEY
        )
        kinds = {kind: weight for kind, weight in self._kinds().items() if random.random() < KEPT}
        self._chosen = kinds or {self._insert_many: 1}

    def run(self) -> None:
        self._step(self._moves.visit)
        if self._random.random() < TRESPASSING:
            self._step(self._moves.trespass)
        for _ in range(ROWS_AT_FIRST):
            self._step(self._insert_many)
        for _ in range(STEPS - ROWS_AT_FIRST - 1):
            if self._explorer.over:
                return
            (kind,) = self._random.choices(tuple(self._chosen), tuple(self._chosen.values()))
            self._step(kind)

    def _kinds(self) -> Mapping[Callable[[Draft], None], int]:
        moves = self._moves
        return {
            moves.insert: 3,
            self._insert_many: 3,
            moves.family: 1,
            moves.update: 4,
            self._update_many: 5,
            self._move: 4,
            moves.upsert: 2,
            self._delete: 3,
            moves.together: 2,
            self._several: 2,
            self._save: 1,
            self._back: 1,
        }

    def _insert_many(self, draft: Draft) -> None:
        self._moves.insert(draft, draft.random.randint(2, 5))

    def _update_many(self, draft: Draft) -> None:
        self._moves.update(draft, many=True)

    def _move(self, draft: Draft) -> None:
        self._moves.move(draft, many=draft.random.random() < 0.6)

    def _delete(self, draft: Draft) -> None:
        self._moves.delete(draft, many=draft.random.random() < 0.5)

    def _several(self, draft: Draft) -> None:
        """Several statements before deferred constraints are asked."""
        moves = self._moves
        kinds = (moves.insert, moves.update, moves.move, moves.delete, moves.upsert)
        for _ in range(draft.random.choice((2, 2, 3))):
            with suppress(NothingToDo):
                draft.random.choice(kinds)(draft)

    def _save(self, _draft: Draft) -> None:
        self._explorer.save()

    def _back(self, _draft: Draft) -> None:
        self._explorer.back()

    def _step(self, draw: Callable[[Draft], None]) -> None:
        draft = Draft(self._random)
        try:
            draw(draft)
        except NothingToDo:
            draft.changes.clear()
            with suppress(NothingToDo):
                self._moves.insert(draft)
        self._explorer.step(draft.changes)
