"""Changes of a body that nothing can tell from it, and the ways of its own that one may close."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgcontract.model import Catalog, Column, Function, Name, Table, Trigger
from pgcontract.promises.mutants.bodies import planted
from pgcontract.promises.mutants.detours import detours
from pgcontract.promises.mutants.triggers import trigger_mutants


def equivalent(body: str) -> set[str]:
    """What is changed, of the changes that a rule speaks of."""
    return {defect.what for defect in planted(body) if defect.equivalent is not None}


SIGNS = """
BEGIN
  FOR difference IN
    SELECT MAX(at) FILTER (WHERE sign < 0) AS gone
    FROM (SELECT at, -1 AS sign FROM replaced UNION ALL SELECT at, 1 AS sign FROM changed) AS signed
  LOOP
    UPDATE parents SET at = difference.gone;
  END LOOP;
  RETURN NULL;
END
"""
LOOP = """
BEGIN
  FOR i IN 1 .. COALESCE(cardinality(ids), 0) LOOP
    UPDATE chats SET number = number + 1 WHERE id = ids[i];
  END LOOP;
  RETURN NULL;
END
"""
KEYS = """
BEGIN
  FOR lost IN SELECT DISTINCT message_id FROM deleted WHERE message_id IS NOT NULL ORDER BY message_id LOOP
    UPDATE messages SET content = content WHERE id = lost;
  END LOOP;
  RETURN NULL;
END
"""


def test_a_sign_is_one_of_two() -> None:
    """Bounds that divide -1 from 1 are one bound; others are not."""
    assert equivalent(SIGNS) == {"< → <=", "0 → 1"}
    assert equivalent(SIGNS.replace("1 AS sign FROM changed", "number AS sign FROM changed")) == set()
    assert equivalent(SIGNS.replace("1 AS sign FROM changed", "0 AS sign FROM changed")) == set()


def test_nothing_equals_the_clock() -> None:
    """``<=`` is ``<`` there, and nowhere else."""
    body = "BEGIN IF NEW.at <= {} THEN RETURN NULL; END IF; RETURN NEW; END"
    assert equivalent(body.format("clock_timestamp()")) == {"<= → <"}
    assert equivalent(body.format("now()")) == set()


def test_a_loop_over_an_array_meets_null_outside() -> None:
    """Where it only writes the rows of that key; not where it writes others as well."""
    assert equivalent(LOOP) == {"1 → (0)", "0 → 1", "0 → (-1)"}
    assert equivalent(LOOP.replace("id = ids[i]", "id = ids[i] OR number > 3")) == {"0 → (-1)"}
    assert equivalent(LOOP.replace("id = ids[i]", "id = ids[i] + 1")) == {"0 → (-1)"}


def test_a_loop_over_keys_may_meet_null() -> None:
    """It equals no key; but an INSERT would take it."""
    assert equivalent(KEYS) == {"message_id IS NOT NULL → TRUE"}
    assert equivalent(KEYS.replace("UPDATE messages SET content = content WHERE id =", "PERFORM touch(lost +")) == set()


def test_two_names_of_one_value_are_the_same_until_one_is_written() -> None:
    """Within the condition that says so, and only for the column of which it says so."""
    body = """
BEGIN
  IF NEW.total IS NOT DISTINCT FROM OLD.total THEN
    NEW.total := COALESCE(NEW.credits, OLD.total);
    {}
  END IF;
  RETURN NEW;
END
"""
    assert equivalent(body.format("")) == {"OLD → NEW"}
    assert [d.place for d in planted(body.format("")) if d.equivalent] == [
        "NEW.total := COALESCE(NEW.credits, OLD.total);"
    ]
    after = planted(body.format("NEW.left := OLD.total;"))
    assert not any(d.equivalent for d in after if d.place == "NEW.left := OLD.total;")
    outside = planted(body.format("").replace("RETURN NEW", "NEW.left := OLD.total;\n  RETURN NEW"))
    assert not any(d.equivalent for d in outside if d.place == "NEW.left := OLD.total;")


MOVE = Trigger(
    "moved",
    "AFTER",
    ("UPDATE",),
    "ROW",
    Name("public", "move"),
    update_columns=("chat_id",),
    when="(old.chat_id <> new.chat_id)",
)


@pytest.mark.parametrize(
    ("trigger", "others", "same"),
    [
        (MOVE, (), True),
        (replace(MOVE, when="(old.chat_id <> new.chat_id) OR new.kept"), (), False),
        (replace(MOVE, when="(old.kept <> new.kept)"), (), False),
        (replace(MOVE, when=None), (), False),
        (MOVE, (replace(MOVE, name="writes", timing="BEFORE"),), False),
        (replace(MOVE, timing="BEFORE"), (), True),
        (MOVE, (replace(MOVE, name="follows"),), True),
    ],
)
def test_a_trigger_that_wants_a_column_to_change_need_not_say_of_which_it_is(
    trigger: Trigger, others: tuple[Trigger, ...], *, same: bool
) -> None:
    """Unless something else may change it, or something else is wanted."""
    table = Table(Name("public", "members"), (Column("chat_id", "uuid"),), triggers=(trigger, *others))
    mutants = trigger_mutants(Catalog(tables=(table,)), table.name, trigger)
    (mutant,) = [m for m in mutants if m.operator == "drop_columns"]
    assert (mutant.equivalent is not None) is same


SHORT_CUT = """
BEGIN
  PERFORM FROM inserted OFFSET 1;
  IF NOT FOUND THEN
    UPDATE chats SET number = number + 1;
    RETURN NULL;
  END IF;
  UPDATE chats SET number = (SELECT COUNT(*) FROM messages);
  RETURN NULL;
END
"""


@pytest.mark.parametrize(
    ("what", "ways"),
    [
        ("PERFORM FROM inserted OFFSET 1; → NULL;", 1),
        ("NOT FOUND → NOT (NOT FOUND)", 1),
        ("UPDATE chats SET number = number + 1; → NULL;", 0),
        ("UPDATE chats SET number = (SELECT COUNT(*) FROM messages); → NULL;", 0),
    ],
)
def test_what_stands_before_a_way_may_close_it(what: str, ways: int) -> None:
    """Not what stands in it, or behind it."""
    function = Function(Name("public", "count"), "", body=SHORT_CUT, language="plpgsql", returns="trigger")
    (defect,) = [d for d in planted(SHORT_CUT) if d.what == what]
    found = list(detours(function, defect))
    assert len(found) == ways
    for way in found:
        assert way.mutated is not None
        assert way.sound.text.count("RAISE EXCEPTION") == 1
        assert way.sound.text.index("RAISE") > way.sound.text.index("THEN")


def test_a_way_that_is_gone_is_taken_by_nothing() -> None:
    """Then there is no body to ask."""
    function = Function(Name("public", "count"), "", body=SHORT_CUT, language="plpgsql", returns="trigger")
    (defect,) = [d for d in planted(SHORT_CUT) if d.what.startswith("IF NOT FOUND")]
    (way,) = detours(function, defect)
    assert way.mutated is None


NEWEST = """
BEGIN
  UPDATE chats SET last = CASE WHEN (at, last) > (NEW.at, NEW.id) THEN last ELSE NEW.id END;
  RETURN NULL;
END
"""
DIFFERENCES = """
DECLARE difference record;
BEGIN
  FOR difference IN
    SELECT chat_id, SUM(sign) AS unread
    FROM (SELECT chat_id, -1 AS sign FROM gone UNION ALL SELECT chat_id, 1 AS sign FROM come) AS signed
    GROUP BY chat_id HAVING SUM(sign) <> 0 ORDER BY chat_id
  LOOP
    IF difference.unread > 0 THEN PERFORM 7; END IF;
  END LOOP;
END
"""
NESTED = """
BEGIN
  FOR i IN 1 .. COALESCE(cardinality(ids), 0) LOOP
    PERFORM FROM chats WHERE id = ids[i] FOR UPDATE;
    LOOP
      BEGIN
        UPDATE chats SET last = NULL WHERE id = ids[i];
        EXIT;
      EXCEPTION WHEN foreign_key_violation THEN NULL;
      END;
    END LOOP;
  END LOOP;
END
"""


def test_of_two_that_are_equal_either_may_be_chosen() -> None:
    """Where what is chosen is among what is compared."""
    assert equivalent(NEWEST) == {"> → >="}
    assert equivalent(NEWEST.replace("THEN last", "THEN first")) == set()
    assert equivalent(NEWEST.replace("(at, last) > (NEW.at, NEW.id)", "(at, 1) > (NEW.at, 2)")) == set()


def test_a_whole_number_that_is_not_0_is_above_it_or_below() -> None:
    """By HAVING, and by what is summed."""
    found = [d.what for d in planted(DIFFERENCES) if d.equivalent and d.place.startswith("IF difference")]
    assert found == ["> → >=", "0 → (-1)"]
    for old, new in (
        ("HAVING SUM(sign) <> 0", "HAVING true"),
        ("<> 0 ORDER", "<> 0 OR true ORDER"),
        ("1 AS sign", "n AS sign"),
    ):
        other = DIFFERENCES.replace(old, new)
        assert not [d.what for d in planted(other) if d.equivalent and d.place.startswith("IF difference")]


def test_blocks_within_a_loop_over_an_array_do_nothing_for_null_either() -> None:
    """As long as each of their statements asks for that key."""
    assert {"1 → (0)", "0 → 1"} <= equivalent(NESTED)
    assert "1 → (0)" not in equivalent(NESTED.replace("EXIT;", "PERFORM 7; EXIT;"))
    assert "1 → (0)" not in equivalent(NESTED.replace("THEN NULL", "THEN DELETE FROM chats"))
