"""Changes drawn without a server: what they are, as SQL, and what can be cut from them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from pgcontract.model import Catalog, Column, ForeignKey, Key, Name, Table
from pgcontract.rows.changes import (
    Both,
    Change,
    Conflict,
    Delete,
    Insert,
    Update,
    key_columns,
    key_of,
    parts,
    smaller,
    statement,
)
from pgcontract.rows.moves import Draft, Moves, NothingToDo
from pgcontract.rows.oracle import Evaluated, Refusal
from pgcontract.rows.statements import Row, Statement, paste
from pgcontract.rows.terrain import Terrain, mentioned
from pgcontract.rows.worlds import Worlds

PEOPLE = Table(
    Name("public", "people"),
    (Column("id", "integer", not_null=True), Column("name", "text"), Column("boss", "integer")),
    keys=(Key("pk", ("id",), primary=True),),
    foreign_keys=(ForeignKey("fk_boss", ("boss",), Name("public", "people"), ("id",)),),
)
NOTES = Table(
    Name("odd", 'no"tes'),
    (Column("body", "json"), Column("at", "timestamp with time zone", not_null=True)),
)
PAIRS = Table(
    Name("public", "pairs"),
    (Column("a", "integer", not_null=True), Column("b", "integer", not_null=True), Column("n", "integer")),
    keys=(Key("pk_pairs", ("a", "b"), primary=True),),
)


def pasted(change: Change) -> str:
    """The change as psql takes it."""
    return paste(statement(change))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            Insert(PEOPLE, ({"id": "1", "name": "o'x"}, {"id": "2", "name": None})),
            """INSERT INTO "public"."people" ("id", "name") VALUES ('1', 'o''x'), ('2', NULL)""",
        ),
        (Insert(PEOPLE, ({},)), 'INSERT INTO "public"."people" DEFAULT VALUES'),
        (
            Insert(PEOPLE, ({"id": "1"},), Conflict('("id")')),
            """INSERT INTO "public"."people" ("id") VALUES ('1') ON CONFLICT ("id") DO NOTHING""",
        ),
        (
            Insert(PEOPLE, ({"id": "1", "name": "a"},), Conflict('ON CONSTRAINT "pk"', ("name",))),
            (
                """INSERT INTO "public"."people" ("id", "name") VALUES ('1', 'a')"""
                """ ON CONFLICT ON CONSTRAINT "pk" DO UPDATE SET "name" = EXCLUDED."name\""""
            ),
        ),
        (
            Update(PEOPLE, ({"id": "1"},), ({"name": "a", "boss": "2"},)),
            """UPDATE "public"."people" SET "name" = 'a', "boss" = '2' WHERE "id" = '1'""",
        ),
        (
            Update(PEOPLE, ({"id": "1"}, {"id": "2"}), ({"name": "a"},)),
            """UPDATE "public"."people" SET "name" = 'a' WHERE "id" IN ('1', '2')""",
        ),
        (Update(PEOPLE, None, ({"name": None},)), 'UPDATE "public"."people" SET "name" = NULL'),
        (
            Update(PEOPLE, ({"id": "1"}, {"id": "2"}), ({"boss": "2"}, {"boss": "1"})),
            (
                """UPDATE "public"."people" AS changed SET "boss" = given.value_1 FROM (VALUES"""
                """ ('1'::integer, '2'::integer), ('2'::integer, '1'::integer)) AS given (key_1, value_1)"""
                """ WHERE changed."id" = given.key_1"""
            ),
        ),
        (
            Delete(PAIRS, ({"a": "1", "b": "2"}, {"a": "3", "b": "4"})),
            """DELETE FROM "public"."pairs" WHERE ("a", "b") IN (('1', '2'), ('3', '4'))""",
        ),
        (Delete(PAIRS, ({"a": "1", "b": "2"},)), """DELETE FROM "public"."pairs" WHERE "a" = '1' AND "b" = '2'"""),
        (Delete(PAIRS, None), 'DELETE FROM "public"."pairs"'),
        (
            Delete(NOTES, ({"body": None, "at": "epoch"},)),
            (
                """DELETE FROM "odd"."no""tes" WHERE ("body"::text IS NOT DISTINCT FROM (NULL::json)::text"""
                """ AND "at"::text IS NOT DISTINCT FROM ('epoch'::timestamp with time zone)::text)"""
            ),
        ),
        (
            Both(Insert(PAIRS, ({"a": "1", "b": "2"},)), Update(PEOPLE, ({"id": "1"},), ({"name": "a"},))),
            (
                """WITH first AS (INSERT INTO "public"."pairs" ("a", "b") VALUES ('1', '2'))"""
                """ UPDATE "public"."people" SET "name" = 'a' WHERE "id" = '1'"""
            ),
        ),
    ],
)
def test_a_change_is_one_statement(change: Change, text: str) -> None:
    """Quoted names, values in their places, rows told apart by their key, or by all that they hold."""
    assert pasted(change) == text


def test_an_identity_is_given_by_overriding_it() -> None:
    """GENERATED ALWAYS would refuse a value otherwise."""
    column = Column("id", "integer", not_null=True, identity="ALWAYS")
    table = Table(Name("public", "t"), (column,), keys=(Key("pk", ("id",), primary=True),))
    assert pasted(Insert(table, ({"id": "1"},))) == (
        """INSERT INTO "public"."t" ("id") OVERRIDING SYSTEM VALUE VALUES ('1')"""
    )


def test_rows_without_a_key_are_told_apart_by_all_their_columns() -> None:
    """A key whose columns may be NULL tells nothing either."""
    table = Table(Name("public", "t"), (Column("a", "integer"), Column("b", "integer")), keys=(Key("uq", ("a",)),))
    assert key_columns(table) == ("a", "b")
    assert key_of(PAIRS, {"a": "1", "b": "2", "n": "3"}) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    "change",
    [
        Insert(PEOPLE, ({"id": "1", "name": "a"}, {"id": "2", "name": "b"}), Conflict('("id")', ("name", "boss"))),
        Update(PEOPLE, ({"id": "1"}, {"id": "2"}), ({"boss": "2", "name": "a"}, {"boss": "1", "name": "b"})),
        Delete(PEOPLE, ({"id": "1"}, {"id": "2"}, {"id": "3"})),
        Both(Insert(PAIRS, ({"a": "1", "b": "2"},)), Update(PEOPLE, ({"id": "1"},), ({"name": "a"},))),
    ],
)
def test_cutting_ends(change: Change) -> None:
    """Whatever is cut off, each statement that is left is shorter or has fewer values; nothing is empty."""
    seen = 0
    waiting = [change]
    while waiting:
        current = waiting.pop()
        for one in smaller(current):
            seen += 1
            text = statement(one)
            assert (len(text.text), len(text.values)) < (
                len(statement(current).text),
                len(statement(current).values) + 1,
            )
            assert all(part.rows for part in parts(one) if isinstance(part, Insert))
            waiting.append(one)
        assert seen < 20_000
    assert seen


class Agreeable:
    """An oracle that finds every row right: these tables have no CHECKs."""

    def truth(self, _table: Table, expressions: Sequence[str], rows: Sequence[Row]) -> list[tuple[bool, ...]]:
        return [(True,) * len(expressions)] * len(rows)

    def values(self, _table: Table, expressions: Sequence[str], rows: Sequence[Row]) -> list[tuple[None, ...]]:
        return [(None,) * len(expressions)] * len(rows)

    def evaluate(self, expressions: Sequence[tuple[str, str]]) -> list[Evaluated]:
        return [Evaluated(None, volatile=False)] * len(expressions)

    def refusal(self, _statements: Sequence[Statement]) -> Refusal | None:
        return None


def moves(rows: dict[str, list[Row]], *tables: Table) -> Moves:
    """Moves over these rows."""
    terrain = Terrain(Worlds(Catalog(tables=tables), Agreeable()), mentioned("boss name n"))  # type: ignore[arg-type]
    return Moves(terrain, lambda name: rows.get(name.name, []), tables, number=100)


def drawn(made: Moves, kind: str, times: int, **options: bool) -> list[Change]:
    """Many draws of one kind of change."""
    found: list[Change] = []
    for seed in range(times):
        draft = Draft(Random(seed))
        try:
            getattr(made, kind)(draft, **options)
        except NothingToDo:
            continue
        found += draft.changes
    return found


def test_a_new_row_refers_to_a_row_that_is_there_or_is_made_before() -> None:
    """Never to nothing; sometimes to nobody, where that is allowed."""
    there: list[Row] = [{"id": "7", "name": "a", "boss": None}]
    made = moves({"people": there}, PEOPLE)
    bosses: set[object] = set()
    for seed in range(60):
        draft = Draft(Random(seed))
        made.insert(draft, 3)
        known = {"7"}
        for change in draft.changes:
            assert isinstance(change, Insert)
            known |= {str(row["id"]) for row in change.rows}
            assert {str(b) for row in change.rows if (b := row.get("boss")) is not None} <= known
            bosses |= {row.get("boss") for row in change.rows}
    assert {"7", None} < bosses


def test_new_rows_have_keys_of_their_own() -> None:
    """But for a few, which are to meet others."""
    rows = [row for c in drawn(moves({}, PEOPLE), "insert", 300) if isinstance(c, Insert) for row in c.rows]
    keys = [row["id"] for row in rows]
    assert len(set(keys)) > 0.9 * len(keys)


def test_updates_change_what_matters_more_often() -> None:
    """And the key seldom; one row, several or all; to the same, or each to its own."""
    there: list[Row] = [{"a": str(n), "b": str(n), "n": str(n % 3)} for n in range(6)]
    updates = [c for c in drawn(moves({"pairs": there}, PAIRS), "update", 400, many=True) if isinstance(c, Update)]
    columns = [column for change in updates for column in change.values[0]]
    assert columns.count("n") > 5 * columns.count("a") > 0
    assert any(change.keys is None for change in updates)
    assert any(len(change.values) > 1 for change in updates)
    assert any(len(change.values) == 1 and change.keys is not None and len(change.keys) > 1 for change in updates)
    # rows that exchange their values
    before = {row["a"]: row["n"] for row in there}
    assert any(
        len(c.values) > 1
        and c.keys is not None
        and set(c.values[0]) == {"n"}
        and sorted(str(before[k["a"]]) for k in c.keys) == sorted(str(v["n"]) for v in c.values)
        for c in updates
    )


def test_moves_give_rows_another_parent() -> None:
    """One that is there, and mostly not the same as before."""
    there: list[Row] = [{"id": str(n), "name": None, "boss": None if n == 1 else "1"} for n in range(1, 6)]
    found = [c for c in drawn(moves({"people": there}, PEOPLE), "move", 200, many=True) if isinstance(c, Update)]
    assert {column for change in found for column in change.values[0]} == {"boss"}
    assert {value["boss"] for change in found for value in change.values} >= {"1", "2", "3", None}


def test_upserts_meet_rows_that_are_there_and_others() -> None:
    """With and without taking the new values over; never a row twice."""
    there: list[Row] = [{"a": str(n), "b": str(n), "n": "0"} for n in range(4)]
    found = [c for c in drawn(moves({"pairs": there}, PAIRS), "upsert", 200) if isinstance(c, Insert)]
    keys = {(row["a"], row["b"]) for row in there}
    hits = [sum((row["a"], row["b"]) in keys for row in change.rows) for change in found]
    assert {0, 1, 2} <= set(hits)
    assert any(0 < hit < len(change.rows) for hit, change in zip(hits, found, strict=True))
    assert {bool(change.conflict and change.conflict.columns) for change in found} == {True, False}
    assert all(len({(r["a"], r["b"]) for r in change.rows}) == len(change.rows) for change in found)


def test_without_rows_there_is_nothing_to_change() -> None:
    """It is said, so that something else is drawn."""
    for kind in ("update", "move", "delete"):
        assert drawn(moves({}, PEOPLE), kind, 20) == []


def test_rows_that_others_hold_on_to_are_mostly_left() -> None:
    """NO ACTION would refuse to delete them."""
    there: list[Row] = [{"id": str(n), "name": None, "boss": "1"} for n in range(1, 5)]
    found = [c for c in drawn(moves({"people": there}, PEOPLE), "delete", 100) if isinstance(c, Delete)]
    assert all({"id": "1"} not in (change.keys or ()) for change in found)


def test_the_same_number_draws_the_same() -> None:
    """A seed is all that a replay needs."""
    there: list[Row] = [{"a": str(n), "b": str(n), "n": "0"} for n in range(4)]
    one, other = (drawn(moves({"pairs": there}, PAIRS), "update", 50, many=True) for _ in range(2))
    assert one == other


def test_mentioned_names_are_those_of_tokens() -> None:
    """Folded as SQL folds them; comments and texts name nothing."""
    text = """SELECT "Odd""Name", Plain FROM t -- hidden
    WHERE x = 'quoted'"""
    found = mentioned(text)
    assert {'Odd"Name', "plain", "t", "x"} <= found
    assert not {"hidden", "quoted", "Plain"} & found
