"""Populate's pure parts: how many rows which table gets, sizes, texts, and expressions that hold a number."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from pgcontract.errors import UsageError
from pgcontract.model import Catalog, Column, ForeignKey, Key, Name, Table
from pgcontract.populate.amounts import Plan, PopulateError, steps
from pgcontract.populate.candidates import base_type, kind, limit, worked_in
from pgcontract.populate.dice import Dice
from pgcontract.populate.room import require_room, shown, size
from pgcontract.populate.words import PHRASES, phrases


def name(table: str) -> Name:
    """A table of the usual schema."""
    return Name("public", table)


def table(title: str, *parents: str, key: tuple[str, ...] = ("id",), optional: tuple[str, ...] = ()) -> Table:
    """A table with a foreign key ``<parent>_id`` to each parent."""
    columns = (Column("id", "bigint", not_null=True), *(Column(f"{p}_id", "bigint", not_null=True) for p in parents))
    columns = (*columns, *(Column(f"{p}_id", "bigint") for p in optional))
    foreign_keys = tuple(ForeignKey(f"fk_{p}", (f"{p}_id",), name(p), ("id",)) for p in (*parents, *optional))
    return Table(name(title), columns, (Key(f"pk_{title}", key, primary=True),), foreign_keys=foreign_keys)


def planned(tables: tuple[Table, ...], existing: Mapping[str, int] | None = None, **rows: int) -> dict[str, int]:
    """The rows that each table gets, in order."""
    plan = Plan({name(t): n for t, n in rows.items()})
    known = {name(t): n for t, n in (existing or {}).items()}
    return {str(s.table.name): s.rows for s in steps(Catalog(tables=tables), plan, known)}


CHAIN = (table("users"), table("chats", "users"), table("messages", "chats"))


def test_parents_come_first_and_are_fewer() -> None:
    """A fiftieth of the rows, and no fewer than twice their root."""
    found = planned(CHAIN, messages=1_000_000)
    assert list(found.items()) == [("users", 400), ("chats", 20_000), ("messages", 1_000_000)]
    assert planned(CHAIN, messages=100) == {"users": 8, "chats": 20, "messages": 100}


def test_what_is_asked_for_counts_and_what_is_there_is_used() -> None:
    """A number given for a parent is that; rows that are there are parents, too."""
    assert planned(CHAIN, messages=1000, chats=7)["chats"] == 7
    assert planned(CHAIN, {"chats": 12, "users": 500}, messages=1000) == {"users": 0, "chats": 50, "messages": 1000}


def test_one_to_one_needs_as_many_parents() -> None:
    """Where the foreign key is the primary key."""
    tables = (table("users"), table("profiles", "users", key=("users_id",)))
    assert planned(tables, profiles=70) == {"users": 70, "profiles": 70}


def test_optional_parents_are_used_but_where_tables_would_need_each_other() -> None:
    """Of two tables that may refer to each other, the one with the fewer rows does not."""
    tables = (table("chats", optional=("messages",)), table("messages", "chats"), table("notes", optional=("chats",)))
    assert list(planned(tables, notes=10)) == ["chats", "notes"]
    found = steps(Catalog(tables=tables), Plan({name("messages"): 10}), {})
    assert [len(s.foreign_keys) for s in found] == [0, 1]


def test_what_cannot_be_asked_for_is_refused() -> None:
    """Unknown tables, negative numbers, partitions, tables that need each other."""
    part = Table(name("part"), partition_of=name("users"))
    circle = (table("a", "b"), table("b", "a"), part)
    for asked, number in (("c", 1), ("a", -1), ("part", 1)):
        with pytest.raises(UsageError):
            planned(circle, None, **{asked: number})
    with pytest.raises(PopulateError, match="need each other"):
        planned(circle, a=1)


@pytest.mark.parametrize(
    ("text", "number"),
    [("20GB", 20 * 10**9), ("1.5 mb", 1_500_000), ("10_000", 10_000), ("GB", None), ("5 XB", None), ("", None)],
)
def test_sizes_are_read(text: str, number: int | None) -> None:
    """With and without a unit."""
    assert size(text) == number


def test_room_is_judged_by_what_is_known() -> None:
    """Nothing is refused where nothing is known."""
    require_room(10**15, None, None)
    require_room(10, 11, 12)
    for free, most in ((9, None), (None, 9)):
        with pytest.raises(PopulateError):
            require_room(10, free, most)
    assert [shown(n) for n in (5, 12_300, 5_600_000, 7 * 10**12)] == ["5 B", "12 kB", "5.6 MB", "7.0 TB"]


def test_phrases_fit_a_name_and_need_no_quotes() -> None:
    """They are written into an array literal of names, which PostgreSQL would cut."""
    for short in (True, False):
        assert len(phrases(short)) == PHRASES
        assert all(len(p) <= 63 and re.fullmatch(r"[a-z ]+", p) for p in phrases(short))
    assert len(set(phrases(short=True))) == PHRASES


def test_types_are_told_from_their_modifiers() -> None:
    """As format_type prints them."""
    catalog = Catalog()
    assert base_type("integer", catalog) == "integer"
    assert [kind(t) for t in ("character varying(20)", "numeric(5,2)", "public.citext")] == [
        "character varying",
        "numeric",
        "citext",
    ]
    assert [limit(t) for t in ("character varying(20)", "character(3)", "text", "name")] == [20, 3, None, 63]


def test_a_number_is_worked_into_the_longest_run_that_can_hold_it() -> None:
    """Runs that are too short for so many numbers are left alone."""
    found = list(worked_in("AB-0000001", 1_000_000))
    assert found == ["'AB-' || lpad(n::text, 7, '0') || ''"]
    assert list(worked_in("AB-01", 1000)) == []


def test_draws_are_told_apart_by_seed_name_and_throw() -> None:
    """No two columns share their chance."""
    draws = {Dice(seed, column).bits(throw) for seed in (0, 1) for column in ("a", "b") for throw in (0, 1)}
    assert len(draws) == 8
