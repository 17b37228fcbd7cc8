"""TOML as this project lays it out: one promise a line, texts of many lines as they are. No I/O.

Characters that a reader of a diff cannot see, or that turn the direction of what follows, are always escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, Union

Plain: TypeAlias = Union[str, bool, int, Sequence["Plain"], Mapping[str, "Plain"]]  # noqa: UP007 - refers to itself

_BARE = re.compile(r"[A-Za-z0-9_-]+")
# C0 and C1 controls, soft hyphen, zero-width and direction marks, line separators, byte order mark, interlinear marks.
# By number and not by Unicode category, so that every version of Python writes the same file.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def key(*parts: str) -> str:
    """A dotted key; parts are quoted where TOML asks for it."""
    return ".".join(part if _BARE.fullmatch(part) else string(part) for part in parts)


def string(text: str) -> str:
    """A string on one line. A literal one where that spares escapes: SQL's double quotes stay readable."""
    if ("\\" in text or '"' in text) and "'" not in text and not _UNSEEN.search(text):
        return f"'{text}'"
    return f'"{_escaped(text, keep="")}"'


def text_block(text: str) -> str:
    """A string of several lines, each a line of the file."""
    body = text.replace("\n", "").replace("\t", "")
    if "'''" not in text and not text.endswith("'") and not _UNSEEN.search(body):
        return f"'''\n{text}'''"
    return f'"""\n{_escaped(text, keep=chr(10) + chr(9))}"""'


def value(plain: Plain) -> str:
    """Any value, on one line."""
    match plain:
        case bool():
            return "true" if plain else "false"
        case int():
            return str(plain)
        case str():
            return string(plain)
        case Mapping():
            return "{ " + ", ".join(f"{key(name)} = {value(item)}" for name, item in plain.items()) + " }"
        case _:
            return "[" + ", ".join(map(value, plain)) + "]"


def line(path: Sequence[str], plain: Plain) -> str:
    """``path = value``, on one line."""
    return f"{key(*path)} = {value(plain)}"


def _escaped(text: str, *, keep: str) -> str:
    def escape(match: re.Match[str]) -> str:
        character = match[0]
        if character in keep:
            return character
        return _SHORT.get(character) or f"\\u{ord(character):04x}"

    return _UNSEEN.sub(escape, text.replace("\\", "\\\\").replace('"', '\\"'))
