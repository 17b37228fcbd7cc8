"""Texts that read like words: few that come often, and thousands that come rarely, as in any language."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Final

PHRASES: Final = 1024
_BYTES: Final = 63
"""Of a ``name``, the type of PostgreSQL's that an array finds at once, since all are of one size."""

_COMMON: Final = """
    the of and to in is it you that he was for on are with as his they be at one have this from or had by hot
    but some what there we can out other were all your when up use how said an each she which do their time if
    will way about many then them would like so these her long make thing see him two has look more day could go
    come did my sound no most number who over know water than call first people may down side been now find any
    new work part take get place made live where after back little only round man year came show every good me
    give our under name very through just price order shipping payment available today tomorrow thanks hello
    question size colour delivery discount photo
"""
_ONSETS: Final = ("b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "br", "cr", "tr", "pl", "st")
_VOWELS: Final = ("a", "e", "i", "o", "u")
_RARE: Final = 6000


@cache
def rare() -> tuple[str, ...]:
    """Words of two or three syllables that no language has, always the same."""
    random = Random(20250101)  # noqa: S311 - the same words in every run
    found: dict[str, None] = {}
    while len(found) < _RARE:
        syllables = (random.choice(_ONSETS) + random.choice(_VOWELS) for _ in range(random.choice((2, 3, 3))))
        found["".join(syllables)] = None
    return tuple(found)


@cache
def phrases(short: bool = False) -> tuple[str, ...]:
    """Pieces of text, each short enough for a ``name``: a few common words and rare ones among them."""
    random = Random(20250102)  # noqa: S311
    words, found = iter(rare()), []
    for _ in range(PHRASES):
        kept = (
            [next(words)]
            if short
            else [next(words), *random.choices(_COMMON.split(), k=random.randint(3, 7)), next(words)]
        )
        if not short:
            random.shuffle(kept)
        text = " ".join(kept)
        while len(text) > _BYTES:
            kept.pop()
            text = " ".join(kept)
        found.append(text)
    return tuple(found)


@cache
def array(*, short: bool = False) -> str:
    """The phrases as an SQL expression; no quotes, commas or backslashes stand in them."""
    return "'{" + ",".join(f'"{p}"' for p in phrases(short)) + "}'::pg_catalog.name[]"
