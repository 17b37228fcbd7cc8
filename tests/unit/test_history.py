"""Histories cut down without a server: what stays is what still breaks, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from pgcontract.invariants.history import (
    MOST_REPLAYS,
    Back,
    Event,
    History,
    Save,
    Step,
    rendered,
    smallest,
)
from pgcontract.model import Catalog, Column, Key, Name, Table
from pgcontract.rows.changes import Both, Conflict, Delete, Insert, Update, parts
from pgcontract.rows.statements import paste
from pgcontract.rows.terrain import Terrain, mentioned
from pgcontract.rows.worlds import Worlds
from tests.unit.test_moves import Agreeable

ITEMS = Table(
    Name("public", "items"),
    (Column("id", "integer", not_null=True), Column("n", "integer"), Column("note", "text")),
    keys=(Key("pk", ("id",), primary=True),),
)
TERRAIN = Terrain(Worlds(Catalog(tables=(ITEMS,)), Agreeable()), mentioned("n"))  # type: ignore[arg-type]


def item(number: int, n: str = "5", note: str = "long") -> dict[str, str | bytes | None]:
    return {"id": str(number), "n": n, "note": note}


def insert(*numbers: int) -> Step:
    return Step((Insert(ITEMS, tuple(item(number) for number in numbers)),))


def left(history: History) -> set[object]:
    """The ids that a history leaves behind."""
    there: set[object] = set()
    saved: dict[int, set[object]] = {}
    for event in history:
        match event:
            case Save(number):
                saved[number] = set(there)
            case Back(number):
                there = set(saved[number])
            case Step(changes):
                for change in (part for one in changes for part in parts(one)):
                    if isinstance(change, Insert):
                        there |= {row.get("id") for row in change.rows}
                    elif isinstance(change, Delete):
                        there -= {key["id"] for key in change.keys} if change.keys is not None else there
    return there


def cut(history: list[Event], broken: Callable[[History], bool]) -> History:
    assert broken(tuple(history))
    found = smallest(tuple(history), broken, TERRAIN)
    assert broken(found)
    return found


def test_only_what_breaks_stays() -> None:
    """One row of one statement, of many."""
    history: list[Event] = [insert(1, 2, 3), insert(4, 5), Step((Delete(ITEMS, ({"id": "1"},)),)), insert(6)]
    assert cut(history, lambda h: "5" in left(h)) == (Step((Insert(ITEMS, ({"id": "5"},)),)),)


def test_what_was_rolled_back_goes_with_its_savepoint() -> None:
    """Where it has no part in it."""
    history: list[Event] = [insert(1), Save(1), insert(2), Save(2), insert(3), Back(2), Back(1), insert(4)]
    assert cut(history, lambda h: left(h) >= {"1", "4"}) == (Step((Insert(ITEMS, ({"id": "1"}, {"id": "4"})),)),)


def test_a_rollback_that_matters_stays_with_its_savepoint() -> None:
    """A history that breaks only when something was rolled back."""
    history: list[Event] = [insert(1), Save(1), insert(2), insert(3), Back(1), Save(2), insert(4), Back(2)]
    found = cut(history, lambda h: any(isinstance(e, Back) for e in h) and "1" in left(h))
    assert [type(event) for event in found] in ([Step, Save, Back], [Save, Back, Step])
    assert [paste(s) for s in rendered(found, deferrable=False)][-1].startswith(("ROLLBACK TO", "INSERT"))


def test_two_changes_by_one_statement_stay_together_where_they_must() -> None:
    """And fall apart where one of them is enough."""
    both = Both(Insert(ITEMS, (item(1),)), Insert(ITEMS, (item(2),)))
    history: list[Event] = [Step((both,)), insert(3)]
    alone = cut(history, lambda h: "2" in left(h))
    assert alone == (Step((Insert(ITEMS, ({"id": "2"},)),)),)

    def together(h: History) -> bool:
        return any(isinstance(c, Both) for e in h if isinstance(e, Step) for c in e.changes)

    (event,) = cut(history, together)
    assert event == Step((Both(Insert(ITEMS, ({},)), Insert(ITEMS, ({},))),))


def test_values_become_plain() -> None:
    """As long as it breaks; keys stay what they are."""
    change = Update(ITEMS, ({"id": "1"},), ({"n": "77", "note": "long"},))
    history: list[Event] = [insert(1), Step((change,))]

    def updated(h: History) -> bool:
        changes = [c for e in h if isinstance(e, Step) for c in e.changes if isinstance(c, Update)]
        return "1" in left(h) and any("n" in values for c in changes for values in c.values)

    *_, last = cut(history, updated)
    assert last == Step((Update(ITEMS, ({"id": "1"},), ({"n": None},)),))


def test_an_upsert_of_a_row_that_is_there_becomes_an_update() -> None:
    """As people would write it."""
    upsert = Insert(ITEMS, (item(1, n="7"),), Conflict('("id")', ("n",), ("id",)))

    def updated(h: History) -> bool:
        changes = [c for e in h[-1:] if isinstance(e, Step) for c in e.changes]
        return any(isinstance(c, Update) or (isinstance(c, Insert) and c.conflict is not None) for c in changes)

    assert cut([insert(1), Step((upsert,))], lambda h: "1" in left(h[:-1]) and updated(h))[1:] == (
        Step((Update(ITEMS, ({"id": "1"},), ({"n": None},)),)),
    )


def test_it_ends() -> None:
    """Also where everything breaks, and where replaying is all that time goes into."""
    tries = 0

    def broken(_history: History) -> bool:
        nonlocal tries
        tries += 1
        return tries % 7 == 1

    smallest(tuple(insert(*range(n, n + 5)) for n in range(60)), broken, TERRAIN)
    assert tries <= MOST_REPLAYS


def test_constraints_wait_for_the_end_of_a_step_of_several_statements() -> None:
    """And are asked at the end of each, where there are such."""
    one, other = insert(1).changes[0], insert(2).changes[0]
    texts = [
        s.text.split(" INTO")[0]
        for s in rendered((Step((one, other)), Save(3), Step((one,)), Back(3)), deferrable=True)
    ]
    assert texts == [
        *("SET CONSTRAINTS ALL DEFERRED", "INSERT", "INSERT", "SET CONSTRAINTS ALL IMMEDIATE"),
        *("SAVEPOINT kept_3", "INSERT", "SET CONSTRAINTS ALL IMMEDIATE", "ROLLBACK TO SAVEPOINT kept_3"),
    ]
    assert not any("CONSTRAINTS" in s.text for s in rendered((Step((one, other)),), deferrable=False))
