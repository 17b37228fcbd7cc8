"""Types whose values are the server's own affair: names of objects, places in the log, snapshots, row places."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from pgcontract.values.space import Refused, Space
from pgcontract.values.texts import NOT_UTF8, word

BAD_LITERAL: Final = "22P02"
INVALID_NAME: Final = "42602"
SYNTAX: Final = "42601"
_NOBODY: Final = 2_000_000_000
"""From this number on no database has an object: it is taken all the same, and shown as a number."""
NAMES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "regproc": (("now", "pi", "version"), INVALID_NAME),
    "regprocedure": (("pi()", "now()", "abs(integer)"), BAD_LITERAL),
    "regoper": (("||/", "|/"), INVALID_NAME),
    "regoperator": (("+(integer,integer)", "-(integer,integer)"), BAD_LITERAL),
    "regclass": (("pg_class", "pg_type"), INVALID_NAME),
    "regtype": (("integer", "text", "boolean"), SYNTAX),
    "regrole": (("pg_monitor", "pg_signal_backend"), INVALID_NAME),
    "regnamespace": (("pg_catalog", "information_schema"), INVALID_NAME),
    "regcollation": (('"C"', '"POSIX"'), INVALID_NAME),
    "regconfig": (("simple", "english"), INVALID_NAME),
    "regdictionary": (("simple", "english_stem"), INVALID_NAME),
}
"""What every server has, and the SQLSTATE of an empty name."""


def named(name: str) -> Space:
    """An object by its name, as every server has some; or by a number that nothing has."""
    known, refusal = NAMES[name]
    return Space(
        type=name,
        simplest=known[0],
        boundaries=(*known, str(_NOBODY)),
        strategy=st.sampled_from(known) | st.integers(_NOBODY, 2**32 - 1).map(str),
        fresh=lambda n: known[n] if n < len(known) else str(_NOBODY + n),
        refused=(Refused("", refusal, "an empty text names nothing"),),
    )


def lsn(name: str) -> Space:
    """A place in the write-ahead log."""

    def show(n: int) -> str:
        return f"{n >> 32:X}/{n & 0xFFFFFFFF:X}"

    return Space(
        type=name,
        simplest="0/0",
        boundaries=("0/0", "0/1", "16/B374D848", "FFFFFFFF/FFFFFFFF"),
        strategy=st.integers(0, 2**64 - 1).map(show),
        fresh=show,
        refused=(Refused("0", BAD_LITERAL, "half of it"), Refused("0/G", BAD_LITERAL, "no hexadecimal digit")),
    )


def place(name: str) -> Space:
    """``tid``: a block and a row in it."""
    places = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))
    return Space(
        type=name,
        simplest="(0,1)",
        boundaries=("(0,1)", "(0,0)", "(4294967295,65535)"),
        strategy=places.map(lambda t: f"({t[0]},{t[1]})"),
        fresh=lambda n: f"({n},1)",
        refused=(Refused("", BAD_LITERAL, "an empty text is no place"), Refused("(0,x)", BAD_LITERAL, "no number")),
    )


def snapshot(name: str) -> Space:
    """Transactions that were running: the oldest, the next one, and those between that were not done."""
    return Space(
        type=name,
        simplest="1:1:",
        boundaries=("1:1:", "10:20:10,14", "10:20:19"),
        strategy=st.integers(1, 10**6).flatmap(
            lambda low: st.integers(low, low + 99).map(lambda high: f"{low}:{high}:")
        ),
        fresh=lambda n: f"{n + 1}:{n + 1}:",
        refused=(
            Refused("", BAD_LITERAL, "an empty text is no snapshot"),
            Refused("2:1:", BAD_LITERAL, "it ends first"),
        ),
    )


def transaction(name: str) -> Space:
    """``xid8``: 64 bits without a sign; some majors read anything as one."""
    high = 2**64 - 1
    return Space(
        type=name,
        simplest="1",
        boundaries=("1", "0", str(2**63), str(high)),
        strategy=st.integers(0, high).map(str),
        fresh=lambda n: str(n + 1),
        refused=(Refused(b"\xff", NOT_UTF8, "a byte that UTF-8 never has"),),
    )


def cursor(name: str) -> Space:
    """``refcursor``: a text."""
    return Space(
        type=name,
        simplest="a",
        boundaries=("a", "", '"', "<unnamed portal 1>"),
        strategy=st.text("abcdefgh ", max_size=12),
        fresh=word,
        refused=(Refused(b"\xff", NOT_UTF8, "a byte that UTF-8 never has"),),
    )
