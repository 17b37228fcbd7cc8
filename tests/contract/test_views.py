"""What views show, from their frozen contracts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.contract import promises_of, read
from pgcontract.plugin import Promised
from pgcontract.promises import promises
from pgcontract.system import System
from tests.contract.fix_systems import PATHS

KINDS = ("view", "materialised view", "privilege", "default privilege", "row policy")


@pytest.mark.promises("view", "materialised view")
def test_views(promise: Promised) -> None:
    """The promised columns; the definition's own rows, for a materialised view after REFRESH and not before."""
    promise.prove()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_no_promise_of_access_is_left_out(path: Path) -> None:
    """Every grant, default privilege, view, policy and index of a materialised view has somebody who proves it."""
    frozen = read(System.load(path).contract).catalog
    covered = {id_ for id_, _ in promises(frozen)}
    views = tuple(f"{view.name}." for view in frozen.views)
    wanted = {id_ for id_, kind, _ in promises_of(frozen) if kind in KINDS or id_.startswith(views or ("\0",))}
    assert wanted - covered == set()
