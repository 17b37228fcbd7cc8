"""The operators that the literature compares by: those of SchemaAnalyst.

Its fourteen are the addition, removal and exchange of columns of primary keys, foreign keys and UNIQUE, the reversal of
NOT NULL, and of CHECKs the removal, the elements of IN lists and the relational operators.
"""

from __future__ import annotations

from typing import Final

PUBLISHED: Final = frozenset(
    {
        "add_in_value",
        "add_key_column",
        "add_not_null",
        "drop_check",
        "drop_column_pair",
        "drop_foreign_key",
        "drop_key_column",
        "drop_not_null",
        "drop_primary_key",
        "drop_unique",
        "relax_bound",
        "remove_in_value",
        "replace_operator",
        "tighten_bound",
    }
)
KINDS: Final = frozenset({"check", "foreign key", "not null", "null allowed", "primary key", "unique", "unique index"})
"""The kinds of promises that they are about: an operator of ours may be there for others, too."""
