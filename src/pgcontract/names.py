"""Names of objects, as people write them. Light: commands that read no catalog load only this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_NAMESPACE: Final = "public"


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A qualified name. ``str()`` leaves ``public`` out, as people write it; ids use this form."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return (
            id_part(self.name)
            if self.namespace == DEFAULT_NAMESPACE
            else f"{id_part(self.namespace)}.{id_part(self.name)}"
        )


def id_part(name: str) -> str:
    """One part of a dotted id: quoted, as SQL quotes, only where a dot or a quote would make it ambiguous."""
    if not name or any(c in name for c in '."') or name != name.strip():
        return '"' + name.replace('"', '""') + '"'
    return name
