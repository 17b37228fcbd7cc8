"""A rehearsal: every migration up, down and up again on a server of its own, with what it locks and what it loses."""

from pgcontract.rehearse.locks import Lock, blocks
from pgcontract.rehearse.rehearsing import rehearse, rehearse_on
from pgcontract.rehearse.results import Failure, Filled, Rehearsal, Step

__all__ = ["Failure", "Filled", "Lock", "Rehearsal", "Step", "blocks", "rehearse", "rehearse_on"]
