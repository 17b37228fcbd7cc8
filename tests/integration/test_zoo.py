"""The zoo: one of each hard thing, fully proven on every major that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, verify

HERE = Path(__file__).parent
TEMPORAL = 18

pytestmark = pytest.mark.thorough


def test_every_promise_of_the_zoo_is_proven(tmp_path: Path, pgcontract_server: Server) -> None:
    """Nothing is broken, unproven, or of a kind that is not covered; and each of the kinds is there."""
    files = ["zoo_proven.sql", *(["zoo_proven_18.sql"] if pgcontract_server.major >= TEMPORAL else [])]
    file = tmp_path / "zoo.sql"
    file.write_text("\n".join((HERE / name).read_text("utf-8") for name in files), "utf-8")
    system = System.load(file)
    with staged(system, pgcontract_server, ServerChoice()) as stage:
        result = verify(stage, Contract(system.name, stage.read_catalog()), Plan(examples=5))
    left = [(v.id, v.verdict, v.because, v.reason) for v in result.verdicts if v.verdict != "proven"]
    assert left == []
    assert {"exclusion", "check", "unique index", "referential action", "view"} <= {v.kind for v in result.verdicts}
