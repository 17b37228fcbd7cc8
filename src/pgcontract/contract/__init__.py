"""The contract of a schema: all its promises, frozen in contract.toml, and how a live catalog differs from them."""

from __future__ import annotations

from pgcontract.contract.baseline import Baseline, read_baseline, said_once, write_baseline
from pgcontract.contract.document import FORMAT, Contract, dumps, loads, read, write
from pgcontract.contract.drifting import Difference, drift, headlines
from pgcontract.contract.ids import (
    action_id,
    collation_id,
    column_id,
    constraint_id,
    default_privilege_id,
    extension_id,
    function_id,
    grant_id,
    index_id,
    namespace_id,
    policy_id,
    row_security_id,
    rule_id,
    sequence_id,
    table_id,
    trigger_id,
    type_id,
    view_id,
)
from pgcontract.contract.promised import collisions, promises_of
from pgcontract.contract.touched import Touched, touched

__all__ = [
    "FORMAT",
    "Baseline",
    "Contract",
    "Difference",
    "Touched",
    "action_id",
    "collation_id",
    "collisions",
    "column_id",
    "constraint_id",
    "default_privilege_id",
    "drift",
    "dumps",
    "extension_id",
    "function_id",
    "grant_id",
    "headlines",
    "index_id",
    "loads",
    "namespace_id",
    "policy_id",
    "promises_of",
    "read",
    "read_baseline",
    "row_security_id",
    "rule_id",
    "said_once",
    "sequence_id",
    "table_id",
    "touched",
    "trigger_id",
    "type_id",
    "view_id",
    "write",
    "write_baseline",
]
