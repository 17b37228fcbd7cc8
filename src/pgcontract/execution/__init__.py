"""Hot queries on a server: executed with values of their sources, measured, and judged by what they promise."""

from __future__ import annotations

from pgcontract.execution.checking import check
from pgcontract.execution.filling import filled
from pgcontract.execution.growth import with_growth
from pgcontract.execution.measured import Checked, Measured
from pgcontract.execution.readiness import readied
from pgcontract.execution.sizes import Judged, judged
from pgcontract.execution.worth import Worth, worth_of

__all__ = ["Checked", "Judged", "Measured", "Worth", "check", "filled", "judged", "readied", "with_growth", "worth_of"]
