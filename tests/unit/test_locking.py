"""What a body locks is found on its tokens, in whatever way it is written."""

from __future__ import annotations

import pytest

from pgcontract.promises.locking import Locks, clauses, locks


def body(statement: str) -> str:
    return f"DECLARE n integer; BEGIN {statement} RETURN NULL; END"


@pytest.mark.parametrize(
    "clause",
    [
        "FOR UPDATE",
        "for no key update",
        "FOR SHARE OF a",
        "FOR KEY SHARE OF a, s.b NOWAIT",
        "FOR UPDATE SKIP LOCKED",
        "FOR NO KEY\n UPDATE -- and no other\n NOWAIT",
    ],
)
def test_a_locking_clause_is_cut_out_with_all_that_belongs_to_it(clause: str) -> None:
    """Strength, tables, and what is done instead of waiting."""
    (bare,) = locks(body(f"PERFORM FROM a WHERE id = NEW.id {clause};")).bare
    assert bare.split() == body("PERFORM FROM a WHERE id = NEW.id ;").split()


@pytest.mark.parametrize(
    ("statement", "bare"),
    [
        ("LOCK TABLE a IN EXCLUSIVE MODE;", "NULL;"),
        ("LOCK a;", "NULL;"),
        ("PERFORM pg_advisory_xact_lock(7);", "PERFORM TRUE;"),
        ("PERFORM pg_catalog.PG_ADVISORY_LOCK(7, abs(8));", "PERFORM TRUE;"),
        ("IF NOT pg_try_advisory_xact_lock(7) THEN RETURN NULL; END IF;", "IF NOT TRUE THEN RETURN NULL; END IF;"),
    ],
)
def test_locks_of_tables_and_of_numbers_are_found(statement: str, bare: str) -> None:
    """What locks a table is a statement, what locks a number is a call."""
    assert locks(body(statement)).bare == (body(bare),)


def test_each_lock_is_taken_away_alone() -> None:
    """So that a proof can ask of each whether it shows."""
    one, other = locks(body("PERFORM FROM a FOR UPDATE; PERFORM FROM b FOR SHARE;")).bare
    assert ("FOR UPDATE" in one, "FOR SHARE" in one) == (False, True)
    assert ("FOR UPDATE" in other, "FOR SHARE" in other) == (True, False)


@pytest.mark.parametrize(
    "statement",
    [
        "FOR update_one IN SELECT 1 LOOP NULL; END LOOP;",
        "NEW.a := 'FOR UPDATE';",
        "-- FOR UPDATE\n NULL;",
        "SELECT count(*) INTO n FROM a ORDER BY 1;",
        'PERFORM FROM "FOR UPDATE";',
    ],
)
def test_what_only_sounds_like_a_lock_is_none(statement: str) -> None:
    """Loops, texts, comments, names."""
    assert not locks(body(statement))


@pytest.mark.parametrize("write", ["UPDATE a SET n = 1;", "DELETE FROM a;", "INSERT INTO a VALUES (1);"])
def test_what_writes_locks(write: str) -> None:
    """Two that take rows in other orders wait for each other."""
    found = locks(body(write))
    assert found == Locks((), written=True)
    assert found


def test_what_the_scanner_does_not_know_locks_nothing() -> None:
    """An unended text."""
    assert not locks("BEGIN 'FOR UPDATE")


def test_clauses_are_told_by_their_first_and_last_words() -> None:
    """As the mutants need them."""
    words = ["SELECT", "FROM", "a", "FOR", "NO", "KEY", "UPDATE", "OF", "a", "SKIP", "LOCKED", ";", "FOR", "SHARE"]
    assert list(clauses(words)) == [(3, 10), (12, 13)]
