"""Texts of all kinds, bytes and bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.values.space import Folded, Padded, Refused, Space, Texts

TOO_LONG: Final = "22001"
BAD_LITERAL: Final = "22P02"
NOT_UTF8: Final = "22021"

BEYOND_BMP: Final = "\U0001f600"
LONGEST_DRAWN: Final = 300
"""What is drawn is no longer than this; longer limits are met by boundaries."""
_LONG: Final = 10_000
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_MORE: Final = 0x4E00
_MORE_COUNT: Final = 20_000
_NAME_BYTES: Final = 63

# NUL cannot be stored; surrogates are no characters
CHARACTERS: Final = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


def _stretched(start: str, length: int) -> str:
    return start + start[-1] * (length - len(start))


@lru_cache(maxsize=256)
def drawn(low: int, high: int) -> SearchStrategy[str]:
    """Texts of ``low`` to ``high`` characters, mostly short ones."""
    if low > LONGEST_DRAWN:
        # so many characters are more than Hypothesis draws: a few are, and the rest repeats the last of them
        longest = min(high, low + LONGEST_DRAWN)
        return st.builds(_stretched, st.text(CHARACTERS, min_size=1, max_size=LONGEST_DRAWN), st.integers(low, longest))
    return st.text(CHARACTERS, min_size=low, max_size=max(low, min(high, LONGEST_DRAWN)))


def word(n: int, limit: int | None = None) -> str | None:
    """Return the n-th distinct text: a, b, … z, aa, …; when the limit leaves no more of them, others; then None."""
    count, length = len(_LETTERS), 1
    rest = n
    while limit is None or length <= limit:
        if rest < count**length:
            return _digits(rest, length, _LETTERS.__getitem__, count)
        rest -= count**length
        length += 1
    if not limit:
        return None
    return _digits(rest, limit, lambda d: chr(_MORE + d), _MORE_COUNT) if rest < _MORE_COUNT ** min(limit, 4) else None


def _digits(n: int, length: int, digit: Callable[[int], str], base: int) -> str:
    found = []
    for _ in range(length):
        n, rest = divmod(n, base)
        found.append(digit(rest))
    return "".join(reversed(found))


def text(name: str) -> Space:
    """``text``, and ``character varying`` without a limit."""
    return Space(
        type=name,
        simplest="a",
        boundaries=(
            "a",
            "",
            " ",
            "'",
            "\\",
            "\n",
            "NULL",
            "é",
            "e\u0301",
            BEYOND_BMP,
            "\U0010ffff",
            " a ",
            "a" * _LONG,
        ),
        strategy=drawn(0, 40),
        fresh=word,
        refused=(Refused(b"\xff", NOT_UTF8, "a byte that UTF-8 never has"),),
        read=str,
        texts=Texts(),
    )


def varchar(name: str, limit: int) -> Space:
    """``character varying(n)``: what is too long is refused, unless the excess is spaces, which are cut off."""
    full = ("a" * limit, BEYOND_BMP * limit, "a" * limit + "   ") if limit <= 10**6 else ()
    return Space(
        type=name,
        simplest="a",
        boundaries=tuple(dict.fromkeys(("a", "", " ", "'"[:limit], "é", BEYOND_BMP, *full))),
        strategy=drawn(0, limit if limit <= LONGEST_DRAWN else 40),
        fresh=lambda n: word(n, limit),
        refused=(
            *((Refused("a" * (limit + 1), TOO_LONG, "a character too many"),) if limit <= 10**6 else ()),
            *(
                (Refused(" " * limit + "a", TOO_LONG, "a character after spaces is no space"),)
                if limit <= 10**6
                else ()
            ),
            Refused(b"\xff", NOT_UTF8, "a byte that UTF-8 never has"),
        ),
        drawn_refused=_too_long(limit),
        read=lambda s: s if len(s) <= limit else s[:limit],
        texts=Texts(limit),
    )


def _too_long(limit: int) -> SearchStrategy[Refused] | None:
    if limit > _LONG:
        return None
    # drawing some hundred characters takes as long as everything else together: the rest is filled up
    tail = st.text(CHARACTERS.filter(lambda c: c != " "), min_size=1, max_size=10)
    return tail.map(lambda t: Refused("a" * limit + t, TOO_LONG, "characters too many"))


def character(name: str, limit: int) -> Space:
    """``character(n)``: padded with spaces, which do not count when it is compared."""
    found = varchar(name, limit)
    short = drawn(0, min(limit, 40)).map(lambda s: s.rstrip(" "))

    return Space(
        type=name,
        simplest="a",
        boundaries=tuple(b for b in found.boundaries if b != " "),
        strategy=short,
        fresh=found.fresh,
        refused=found.refused,
        drawn_refused=found.drawn_refused,
        read=lambda s: Padded.of(s[:limit], limit),
        texts=Texts(limit, padded=True),
    )


def blank_padded(name: str) -> Space:
    """``bpchar``: a text of any length whose spaces at the end do not count."""
    return replace(text(name), read=lambda s: Padded.of(s, len(s)), texts=Texts(padded=True))


def citext(name: str) -> Space:
    """A text that compares without case."""
    plain = text(name)
    return Space(
        type=name,
        simplest="a",
        boundaries=("a", "A", *plain.boundaries[1:]),
        strategy=plain.strategy,
        fresh=word,
        refused=plain.refused,
        read=Folded,
        texts=Texts(folded=True),
    )


def identifier(name: str) -> Space:
    """``name``: 63 bytes, and what is longer is cut off."""
    return Space(
        type=name,
        simplest="a",
        boundaries=("a", "", " ", "é", BEYOND_BMP, "a" * _NAME_BYTES),
        strategy=drawn(0, 15),
        fresh=lambda n: word(n, _NAME_BYTES),
        refused=(Refused(b"\xff", NOT_UTF8, "a byte that UTF-8 never has"),),
        read=str,
        texts=Texts(_NAME_BYTES // 4, cut=True),
    )


def single(name: str) -> Space:
    """The one byte of ``"char"``: what is longer is cut off."""
    letters = tuple(_LETTERS + _LETTERS.upper() + "0123456789")
    return Space(
        type=name,
        simplest="a",
        boundaries=("a", "", "Z", "~"),
        strategy=st.sampled_from(letters),
        fresh=lambda n: letters[n] if n < len(letters) else None,
        refused=(Refused(b"\xff", NOT_UTF8, "a byte that UTF-8 never has"),),
        read=str,
        texts=Texts(1, cut=True),
    )


def binary(name: str) -> Space:
    """``bytea`` in the hexadecimal form."""
    return Space(
        type=name,
        simplest="\\x",
        boundaries=("\\x", "\\x00", "\\xff", "\\x" + "00ff" * 1000, "\\x27225c"),
        strategy=st.binary(max_size=40).map(lambda b: "\\x" + b.hex()),
        fresh=lambda n: "\\x" + n.to_bytes((n.bit_length() + 7) // 8 or 1, "big").hex(),
        refused=(
            Refused("\\x0", "22023", "half a byte"),
            Refused("\\xzz", "22023", "no hexadecimal digits"),
            Refused("\\0", BAD_LITERAL, "an escape that is none"),
        ),
        read=_read_bytes,
    )


def _read_bytes(literal: str) -> bytes:
    if not literal.startswith("\\x"):
        raise ValueError(literal)
    return bytes.fromhex(literal[2:])


def bits(name: str, limit: int | None, *, varying: bool) -> Space:
    """``bit(n)``: exactly n; ``bit varying(n)``: at most n."""
    longest = 64 if limit is None else min(limit, 64)
    low = limit if not varying and limit is not None else 0
    size = max(low, longest)
    top = limit if limit is not None else 100
    simplest = "0" * low if not varying else "0"
    strategy = st.text("01", min_size=low, max_size=size)
    refused = [Refused("2", BAD_LITERAL, "a digit that is no bit")]
    if limit is not None:
        refused.append(
            Refused("0" * (limit + 1), TOO_LONG, "a bit too many")
            if varying
            else Refused("0" * (limit + 1), "22026", "a bit too many for a fixed length")
        )
        if not varying:
            refused.append(Refused("0" * (limit - 1), "22026", "a bit too few for a fixed length"))
    boundaries = ("0" * top, "1" * top, "01" * (top // 2) + "1" * (top % 2))
    return Space(
        type=name,
        simplest=simplest,
        boundaries=tuple(dict.fromkeys((simplest, *boundaries, *(("", "1") if varying else ())))),
        strategy=strategy,
        fresh=lambda n: _fresh_bits(n, limit, varying),
        refused=tuple(refused),
    )


def _fresh_bits(n: int, limit: int | None, varying: bool) -> str | None:
    if not varying and limit is not None:
        return format(n, f"0{limit}b") if n < 2**limit else None
    # one by one through the lengths: 0, 1, 00, 01, …
    found = format(n + 2, "b")[1:]
    return found if limit is None or len(found) <= limit else None
