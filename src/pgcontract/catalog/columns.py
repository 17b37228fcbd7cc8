"""One row of columns.sql or constraints.sql as the model's Column or Check. No I/O."""

from __future__ import annotations

from typing import Any

from pgcontract.catalog.words import COMPRESSIONS, IDENTITIES, STORAGES
from pgcontract.model import Check, Column


def column(row: Any) -> Column:
    """The column of one row of columns.sql."""
    return Column(
        name=row.name,
        type=row.type,
        not_null=row.not_null,
        default=None if row.generated else row.expression,
        identity=IDENTITIES.get(row.identity),
        generated=row.expression if row.generated else None,
        virtual=row.generated == "v",
        collation=row.collation,
        storage=None if row.storage is None else STORAGES[row.storage],
        compression=COMPRESSIONS.get(row.compression),
    )


def check(row: Any) -> Check:
    """The check of one row of constraints.sql."""
    return Check(
        name=row.name,
        expression=row.expression,
        no_inherit=row.no_inherit,
        validated=row.validated,
        enforced=row.enforced,
    )
