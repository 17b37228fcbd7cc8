"""What happens to children when their parents go or change their keys, from the frozen contracts."""

from __future__ import annotations

import pytest

from pgcontract.plugin import Promised


@pytest.mark.promises("referential action")
def test_referential_actions(promise: Promised) -> None:
    """Afterwards the database equals the model of the closure: the promised rows changed, all others did not."""
    promise.prove()
