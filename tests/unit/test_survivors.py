"""The systems' lists of mutants that may live."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.contract import read
from pgcontract.mutation import Plan, chosen
from pgcontract.mutation.survivors import reasons
from pgcontract.system import System
from tests.contract.fix_systems import PATHS


@pytest.mark.thorough
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_what_may_live_is_a_mutant_that_no_rule_calls_equivalent(path: Path) -> None:
    """A line that names no mutant any more would excuse what comes; and few may live."""
    system = System.load(path)
    mutants = chosen(read(system.contract).catalog, Plan(), {})
    alive = {f"{one.id} {one.mutant}" for one in mutants if one.mutant.equivalent is None}
    listed = reasons(system)
    assert set(listed) - alive == set()
    assert len(listed) < len(mutants) / 40
