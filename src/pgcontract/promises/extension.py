"""Extensions: one is installed, in its schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pgcontract.contract import extension_id
from pgcontract.model import Catalog, Extension, Name
from pgcontract.promises.base import Cases, Direction
from pgcontract.promises.facts import asked
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.worlds import Worlds


@dataclass(frozen=True, slots=True)
class Installed:
    """An extension; its version belongs to the server."""

    extension: Extension

    kind = "extension"
    directions = (Direction.ACCEPTS,)

    @property
    def table(self) -> Name:
        """Its own name, in its schema."""
        return Name(self.extension.namespace, self.extension.name)

    @property
    def id(self) -> str:
        """``extension pgcrypto``."""
        return extension_id(self.extension.name)

    @property
    def clause(self) -> str:
        """``CREATE EXTENSION pgcrypto SCHEMA public``."""
        return f"CREATE EXTENSION {self.extension.name} SCHEMA {self.extension.namespace}"

    def accepts(self, worlds: Worlds) -> Cases:
        """It is there, in the schema by which its functions and types are called."""
        del worlds
        source = "pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace"
        facts = {"in_schema": ("n.nspname", self.extension.namespace)}
        return Cases((asked(source, "e.extname = $1", (self.extension.name,), facts),))

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def owns(self, refusal: Refusal) -> bool:
        """Nothing refuses a look into the catalog."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has the extension."""
        return any(e.name == self.extension.name for e in worlds.catalog.extensions)


def promises(catalog: Catalog) -> Iterator[Installed]:
    """Every extension."""
    return map(Installed, catalog.extensions)
