"""The document: the page's own parts around the data, in one file that needs no other and asks no network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

SCRIPTS: Final = (
    "elements.js",
    "data.js",
    "charts.js",
    "dialog.js",
    "overview.js",
    "schema.js",
    "promises.js",
    "mutants.js",
    "queries.js",
    "changes.js",
    "main.js",
)


STYLES: Final = ("base.css", "overview.css", "tables.css", "pictures.css", "sheet.css", "media.css")


def page(document: Mapping[str, Any]) -> str:
    """The document's text. Scripts and styles are allowed by their hashes alone, and nothing else is."""
    style = _flat(map(_part, STYLES))
    # one scope for all, and none of its names the window's
    script = _flat(['"use strict";\n(() => {', *map(_part, SCRIPTS), "})();"])
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"policy": policy, "style": style, "data": embedded(document), "script": script}
    text = _part("page.html")
    # split at the marks rather than replaced in turns: no part can hold another's mark
    pieces = text.split("@@")
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def embedded(document: Mapping[str, Any]) -> str:
    """JSON that holds the document's JSON, packed: the same names stand in it many times.

    What is packed is letters and digits, so that nothing that comes from a schema can end the script element, or begin
    a comment in it.
    """
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    # without a time in it, the same results make the same page
    packed = gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0)
    return json.dumps({"gzip": base64.b64encode(packed).decode("ascii")})


def _flat(parts: Iterable[str]) -> str:
    """Without the indentation, which is a fifth of what is for people to read. No text goes over several lines."""
    return "\n".join(line.strip() for part in parts for line in part.splitlines())


def _part(name: str) -> str:
    return files(__package__).joinpath("parts", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
