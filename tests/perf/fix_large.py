"""A large schema of what applications have: layers of tables, many foreign keys and CHECKs, the same each time."""

from __future__ import annotations

from random import Random

COLUMNS = (
    "name text NOT NULL",
    "note varchar(200)",
    "amount numeric(12,2) NOT NULL DEFAULT 0",
    "quantity integer",
    "status text NOT NULL DEFAULT 'draft'",
    "starts_at timestamptz",
    "ends_at timestamptz",
    "settings jsonb NOT NULL DEFAULT '{}'",
    "created_at timestamptz NOT NULL DEFAULT now()",
)
CHECKS = (
    "char_length(name) <= 255",
    "amount >= 0",
    "status IN ('draft', 'open', 'closed')",
    "ends_at > starts_at",
    "quantity BETWEEN 1 AND 1000",
    "jsonb_typeof(settings) = 'object'",
    "(starts_at IS NULL) = (ends_at IS NULL)",
    "note IS NULL OR char_length(btrim(note)) > 0",
    "status <> 'closed' OR ends_at IS NOT NULL",
    "name ~ '^[^\\s].*$'",
)
ACTIONS = ("", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON DELETE RESTRICT")
HUBS = 12
"""Tables that every other may refer to, as to users and accounts."""
NEAR = 25
"""How far back other parents are."""


def large(tables: int, foreign_keys: int, checks: int) -> str:
    """Its SQL. A table refers to earlier ones and now and then to itself; every third foreign key may be NULL."""
    random = Random(0)
    key = "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    parts = {n: [key, *COLUMNS] for n in range(tables)}
    for number in range(foreign_keys):
        child = number % tables or 1
        parents = range(min(child, HUBS)) if random.random() < 0.5 else range(max(0, child - NEAR), child + 1)
        column, parent = f"t{number}_id", random.choice(parents)
        optional = number % 3 == 0 or parent == child
        action = ACTIONS[number % 4] if optional or number % 4 != 2 else ""
        parts[child].append(f"{column} bigint{'' if optional else ' NOT NULL'} REFERENCES t{parent}{action}")
    for number in range(checks):
        table, shape = number % tables, (number // tables * 3 + number) % len(CHECKS)
        parts[table].append(f"CONSTRAINT chk_{number} CHECK ({CHECKS[shape]})")
    made = (f"CREATE TABLE t{n} (\n  " + ",\n  ".join(columns) + "\n);" for n, columns in parts.items())
    indexes = (f"CREATE UNIQUE INDEX uq_t{n} ON t{n} (lower(name));" for n in range(0, tables, 4))
    return "\n".join([*made, *indexes])
