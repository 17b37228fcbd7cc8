"""Names of Python and of SQL, made from names that may be anything."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pgcontract.model import DEFAULT_NAMESPACE, Name
from pgcontract.sql import scan

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
# in a column list these would mean something to Python's or psycopg's formatting, or cannot be seen
_ESCAPED: Final = re.compile(r"[\"\\%{}!]|[^\w\s$.,:;/()<>=+*?&|~^@#'-]|[^\S ]")
_SAME_PLURAL: Final = frozenset({"media", "news", "series", "species", "data", "analytics", "status", "address"})
_IRREGULAR: Final = {"people": "person", "children": "child", "men": "man", "women": "woman", "indices": "index"}


def words(name: str) -> list[str]:
    """The parts of a name: what is between signs, and humps."""
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", unicodedata.normalize("NFKC", name)))


def class_name(name: str, *, row: bool) -> str:
    """``oauth_tokens`` becomes ``OauthToken``: one of a table's rows, or a type as it is called."""
    parts = words(name)
    if row and parts:
        parts[-1] = singular(parts[-1])
    made = "".join(part[:1].upper() + part[1:] for part in parts)
    if not made:
        return "Unnamed"
    return made if made.isidentifier() else f"N{made}" if f"N{made}".isidentifier() else "Unnamed"


def choice_name(row: str, column: str) -> str:
    """A name for what a column of a class may hold: ``Message`` and ``message_type`` make ``MessageType``."""
    first, second = words(row), words(class_name(column, row=False))
    met = next((n for n in range(min(len(first), len(second) - 1), 0, -1) if first[-n:] == second[:n]), 0)
    return "".join([*first, *second[met:]])


def singular(word: str) -> str:
    """One of what an English plural names, by rules that a reader can foresee; other words as they are."""
    lower = word.lower()
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    if lower in _SAME_PLURAL or lower.endswith(("ss", "us", "is")) or not lower.endswith("s") or len(lower) < 3:
        return word
    if lower.endswith("ies") and len(lower) > 4:
        return word[:-3] + "y"
    if lower.endswith(("sses", "shes", "ches", "xes", "zzes", "tuses", "ruses", "nuses")):
        return word[:-2]
    return word[:-1]


def member(label: str) -> str:
    """An enum's member for a label: ``in progress`` becomes IN_PROGRESS."""
    made = "_".join(part.upper() for part in words(label))
    return _identifier(made, first="N") if made else "EMPTY"


def field(column: str, taken: Collection[str]) -> str:
    """A field for a column: its own name where Python allows that, so that class_row finds it without an alias."""
    normal = unicodedata.normalize("NFKC", column)
    if not normal.isidentifier():
        normal = "_".join(re.findall(r"\w+", normal))
    # two underscores before it, and Python would call it by another name within a class
    made = _identifier(re.sub(r"^_+", "_", normal).rstrip() or "unnamed", first="n")
    while made in taken:
        made += "_"
    return made


def _identifier(text: str, *, first: str) -> str:
    made = text if text.isidentifier() else f"{first}{text}"
    if not made.isidentifier():
        made = "unnamed" if first.islower() else "UNNAMED"
    return f"{made}_" if keyword.iskeyword(made) or made == "__debug__" else made


def free_fields(columns: Iterable[str], reserved: Collection[str]) -> list[str]:
    """A field for each column, all different; columns that need no other name keep theirs."""
    named = list(columns)
    kept = {column for column in named if field(column, reserved) == column}
    made: list[str] = []
    for column in named:
        made.append(column if column in kept else field(column, {*reserved, *kept, *made}))
    return made


def free_members(labels: Iterable[str]) -> list[str]:
    """A member for each label, all different."""
    made: list[str] = []
    for label in labels:
        made.append(free(member(label), made, "_"))
    return made


def free_classes(things: Sequence[Called], reserved: Collection[str]) -> list[str]:
    """A class for each thing, all different.

    Where two would be called alike, both keep their plurals; where that does not help, the schema's name comes first,
    and then a number last.
    """
    ways = [thing.ways() for thing in things]
    wanted = {thing.wanted + thing.suffix for thing in things if thing.wanted is not None}
    made: list[str] = []
    for thing, candidates in zip(things, ways, strict=True):
        if thing.wanted is not None:
            made.append(thing.wanted + thing.suffix)
            continue
        alone = (way for n, way in enumerate(candidates) if sum(others[n] == way for others in ways) == 1)
        chosen = next((way for way in alone if way not in made and way not in wanted), candidates[0])
        if not is_free(chosen, reserved):
            chosen += "Row"
        made.append(free(chosen, {*made, *wanted}, ""))
    return made


def is_free(name: str, reserved: Collection[str]) -> bool:
    """Whether a class can be called so: neither Python nor the module itself means something else by it."""
    return not (name in reserved or keyword.iskeyword(name) or hasattr(builtins, name) or name.startswith("_"))


@dataclass(frozen=True, slots=True)
class Called:
    """What a class is called after; ``row``: one of what the name is a plural of. ``wanted``: somebody wants it so."""

    name: Name
    row: bool
    suffix: str = ""
    wanted: str | None = None

    def ways(self) -> tuple[str, str, str]:
        """What it may be called, best first."""
        full = self.name.name if self.name.namespace == DEFAULT_NAMESPACE else f"{self.name.namespace}_{self.name.name}"
        names = ((self.name.name, self.row), (self.name.name, False), (full, self.row))
        first, second, third = (class_name(name, row=row) + self.suffix for name, row in names)
        return first, second, third


def free(name: str, taken: Collection[str], divider: str = "") -> str:
    """The name, with a number behind it where it is taken."""
    number, chosen = 2, name
    while chosen in taken:
        chosen, number = f"{name}{divider}{number}", number + 1
    return chosen


def quoted(name: str) -> str:
    """A name as SQL writes it, bare where it may be. What Python would take for a sign of its own is escaped."""
    if _PLAIN.fullmatch(name) and not _is_reserved(name):
        return name
    if not _ESCAPED.search(name):
        return f'"{name}"'
    escaped = _ESCAPED.sub(lambda sign: _unicode(ord(sign[0])), name)
    return f"""U&"{escaped}" UESCAPE '!'"""


def _unicode(point: int) -> str:
    return f"!{point:04x}" if point <= 0xFFFF else f"!+{point:06x}"


@lru_cache(maxsize=4096)
def _is_reserved(name: str) -> bool:
    return any(token.reserved for token in scan(name))


def literal(text: str) -> str:
    """A Python string, in the quotes that a formatter would choose."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    body = "".join(_character(sign, quote) for sign in text)
    return f"{quote}{body}{quote}"


def _character(sign: str, quote: str) -> str:
    if sign in {quote, "\\"}:
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    point = ord(sign)
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(sign)
    return short or (
        f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
    )


def prose(name: str) -> str:
    """A name within a docstring."""
    return re.sub(r"[^\w .$-]", "?", name).strip() or "?"
