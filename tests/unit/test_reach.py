"""Counters in PL/pgSQL bodies: where they stand, and what the branches are called."""

from __future__ import annotations

import re

from pgcontract.invariants.reach import Branch, Part, Reach, instrumented

BODY = """
DECLARE
  n INTEGER := CASE WHEN TG_OP = 'INSERT' THEN 1 ELSE 2 END;
BEGIN
  IF n = 1 THEN
    UPDATE t SET a = CASE WHEN b > 1 THEN CASE WHEN c THEN 1 END ELSE 2 END, d = CASE e WHEN 1 THEN 2 ELSE 3 END;
  ELSIF n = 2 THEN
    NULL;
  ELSE
    MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN DO NOTHING;
  END IF;
  CASE n
    WHEN 1 THEN
      NULL;
    ELSE
      NULL;
  END CASE;
  FOR n IN 1 .. 2 LOOP -- THEN, ELSE and BEGIN in a comment
    BEGIN
      PERFORM 'IF x THEN';
    EXCEPTION
      WHEN unique_violation THEN
        NULL;
    END;
  END LOOP;
  IF FOUND THEN
    RETURN NULL;
  END IF;
  DROP TABLE IF EXISTS x;
  RETURN NEW;
END
"""


def test_every_branch_has_a_counter_and_a_name() -> None:
    """Statements and conditions within SQL; the branch that is not written; no words of MERGE, DROP and comments."""
    text, branches = instrumented("f", BODY, "c_")
    assert [(branch.line, branch.what) for branch in branches] == [
        (3, "WHEN TG_OP = 'INSERT' THEN"),
        (3, "ELSE"),
        (4, "the function"),
        (5, "IF n = 1 THEN"),
        (6, "WHEN b > 1 THEN"),
        (6, "WHEN c THEN"),
        (6, "none of its conditions"),
        (6, "ELSE"),
        (7, "ELSIF n = 2 THEN"),
        (9, "ELSE"),
        (13, "WHEN 1 THEN"),
        (15, "ELSE"),
        (18, "LOOP"),
        (22, "WHEN unique_violation THEN"),
        (26, "IF FOUND THEN"),
        (28, "no branch of IF"),
    ]
    assert sorted(map(int, re.findall(r'pg_temp\."c_(\d+)"', text))) == list(range(len(branches)))


def test_what_is_there_is_not_changed() -> None:
    """Without the counters the body is the same again."""
    text, _ = instrumented("f", BODY, "c_")
    counter = r"IF pg_catalog\.nextval\([^;]*?\) IS NULL THEN END IF;"
    text = re.sub(rf" ELSE {counter} | {counter}|ELSE {counter} ", "", text)
    text = re.sub(r"WHEN pg_catalog\.nextval\(\S*\) IS NULL THEN NULL ", "", text)
    text = re.sub(r"WHEN \(\s(.*?) \) AND pg_catalog\.nextval\(\S*\) IS NOT NULL ", r"WHEN \1 ", text)
    assert " ".join(text.split()) == " ".join(BODY.split())


def test_reach_tells_what_was_missed() -> None:
    """Parts of several runs add up."""
    all_ = ("a", "b", "c")
    one = Reach(Part(frozenset({"a"}), all_), branches=Part(frozenset(), (str(Branch("f", 3, "IF x THEN")),)))
    other = Reach(Part(frozenset({"b"}), all_))
    assert (one | other).missed == ("c", "f, line 3: IF x THEN")
    assert str(one | other) == "2 of 3 tables, 0 of 1 branch"
