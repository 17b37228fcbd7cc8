"""Addresses of networks and machines, and uuids."""

from __future__ import annotations

import ipaddress
import uuid as uuids
from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from pgcontract.values.space import Line, Refused, Space

BAD_LITERAL: Final = "22P02"
OUT_OF_RANGE: Final = "22003"
_MOST: Final = 2**128 - 1


def uuid_text(n: int) -> str:
    """Write 128 bits as PostgreSQL prints a uuid."""
    digits = f"{n:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def uuid(name: str) -> Space:
    """128 bits."""
    return Space(
        type=name,
        simplest=uuid_text(0),
        boundaries=(uuid_text(0), uuid_text(1), uuid_text(_MOST), "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
        strategy=st.integers(0, _MOST).map(uuid_text),
        fresh=lambda n: uuid_text(n + 1) if n < _MOST else None,
        refused=(
            Refused("", BAD_LITERAL, "an empty text is no uuid"),
            Refused(uuid_text(0)[:-1], BAD_LITERAL, "a digit too few"),
            Refused(uuid_text(0) + "0", BAD_LITERAL, "a digit too many"),
            Refused("g" + uuid_text(0)[1:], BAD_LITERAL, "no hexadecimal digit"),
        ),
        read=lambda s: uuids.UUID(s).int,
        line=Line(0, _MOST, Fraction(1), uuid_text),
    )


def _four(n: int) -> str:
    return str(ipaddress.IPv4Address(n))


def _six(n: int) -> str:
    return str(ipaddress.IPv6Address(n))


def inet(name: str) -> Space:
    """A host's address, with or without its network."""
    drawn = st.one_of(
        st.integers(0, 2**32 - 1).map(_four),
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda t: f"{_four(t[0])}/{t[1]}"),
        st.integers(0, _MOST).map(_six),
    )
    return Space(
        type=name,
        simplest="127.0.0.1",
        boundaries=("127.0.0.1", "0.0.0.0", "255.255.255.255", "10.1.2.3/8", "::", "::1", _six(_MOST), "::1/0"),  # noqa: S104
        strategy=drawn,
        fresh=lambda n: _four(0x0A000001 + n) if n < 2**24 else _six(0xFD << 120 | n),
        refused=(
            Refused("256.0.0.1", BAD_LITERAL, "256 is no byte"),
            Refused("127.0.0.1/33", BAD_LITERAL, "a mask of 33 bits"),
            Refused(":::", BAD_LITERAL, "three colons"),
            Refused("", BAD_LITERAL, "an empty text is no address"),
        ),
    )


def cidr(name: str) -> Space:
    """A network: no bits are set to the right of its mask."""
    drawn = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
        lambda t: f"{_four(t[0] >> (32 - t[1]) << (32 - t[1]))}/{t[1]}"
    )
    return Space(
        type=name,
        simplest="10.0.0.0/8",
        boundaries=("10.0.0.0/8", "0.0.0.0/0", "255.255.255.255/32", "::/0", _six(_MOST) + "/128"),
        strategy=drawn,
        fresh=lambda n: f"{_four(0x0A000000 + n)}/32" if n < 2**24 else f"{_six(0xFD << 120 | n)}/128",
        refused=(
            Refused("10.1.2.3/8", BAD_LITERAL, "bits to the right of the mask"),
            Refused("256.0.0.0/8", BAD_LITERAL, "256 is no byte"),
            Refused("", BAD_LITERAL, "an empty text is no network"),
        ),
    )


def macaddr(name: str, size: int) -> Space:
    """Six or eight bytes."""

    def show(n: int) -> str:
        return n.to_bytes(size, "big").hex(":")

    most = 2 ** (8 * size) - 1
    return Space(
        type=name,
        simplest=show(0),
        boundaries=(show(0), show(1), show(most)),
        strategy=st.integers(0, most).map(show),
        fresh=lambda n: show(n + 1) if n < most else None,
        refused=(
            Refused("00:00:00:00:00", BAD_LITERAL, "a byte too few"),
            Refused("gg" + show(0)[2:], BAD_LITERAL, "no hexadecimal digit"),
        ),
        line=None,
    )
