"""Constraints that promise less than others: NOT VALID, and NOT ENFORCED where PostgreSQL has it."""

from __future__ import annotations

import pytest

from pgcontract.server import Server
from tests.integration.judging import judged, template

pytestmark = pytest.mark.thorough

ENFORCING = 18
LATE = """
    CREATE TABLE p (id INTEGER PRIMARY KEY);
    CREATE DOMAIN d AS INTEGER;
    CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c d);
    INSERT INTO t VALUES (-1, -1, -1, -1);
    ALTER TABLE t ADD CONSTRAINT "late; --" CHECK (a > 7) NOT VALID;
    ALTER TABLE t ADD CONSTRAINT late_fk FOREIGN KEY (b) REFERENCES p NOT VALID;
    ALTER DOMAIN d ADD CONSTRAINT late_d CHECK (VALUE > 0) NOT VALID;
"""
SOFT = """
    CREATE TABLE p (id INTEGER PRIMARY KEY);
    CREATE TABLE t (
      id INTEGER PRIMARY KEY,
      a INTEGER CONSTRAINT soft CHECK (a > 0) NOT ENFORCED,
      b INTEGER CONSTRAINT soft_fk REFERENCES p ON DELETE CASCADE NOT ENFORCED,
      CHECK (a < 100)
    );
"""


def test_a_constraint_that_is_not_valid_is_proven_and_told_to_be_weaker(pgcontract_server: Server) -> None:
    """It refuses new rows; of old ones it says nothing, and the verdict says so."""
    verdicts = {v.id: v for v in judged(pgcontract_server, template(pgcontract_server, LATE))}
    assert [v.id for v in verdicts.values() if v.verdict == "broken"] == []
    for id_ in ("t.late; --", "t.late_fk", "d.late_d"):
        verdict = verdicts[id_]
        assert (verdict.verdict, verdict.rejects > 0) == ("proven", True), verdict
        assert "weaker: NOT VALID" in (verdict.reason or "")
    assert "NOT VALID" in verdicts["t.late_fk"].clause


def test_a_constraint_that_is_not_enforced_refuses_nothing(pgcontract_server: Server) -> None:
    """It is covered, and proven by a row that it would refuse; enforced, the promise is broken."""
    if pgcontract_server.major < ENFORCING:
        with pytest.raises(Exception, match="syntax error"):
            template(pgcontract_server, SOFT)
        return
    made = template(pgcontract_server, SOFT)
    verdicts = {v.id: v for v in judged(pgcontract_server, made)}
    soft = {"t.soft", "t.soft_fk", "t.soft_fk.on_delete", "t.soft_fk.on_update"}
    assert {id_ for id_, v in verdicts.items() if "weaker: NOT ENFORCED" in (v.reason or "")} == soft
    assert [v for v in verdicts.values() if v.verdict != "proven"] == []
    for id_, ddl in {
        "t.soft": "ALTER TABLE t DROP CONSTRAINT soft, ADD CONSTRAINT soft CHECK (a > 0)",
        "t.soft_fk": "ALTER TABLE t ALTER CONSTRAINT soft_fk ENFORCED",
    }.items():
        (verdict,) = judged(pgcontract_server, made, ddl, id_)
        assert verdict.verdict == "broken", verdict
