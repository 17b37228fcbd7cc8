"""Addresses of servers: what a DSN made of one says, and what is never shown."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from pgcontract.server import Address

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
hosts = st.one_of(
    st.just("db.example.org"),
    st.just("10.1.2.3"),
    st.just("::1"),
    st.just("a,b"),
    st.from_regex(r"/[A-Za-z0-9_./ é-]+", fullmatch=True),
)


# how fast texts are drawn is the machine's affair
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hosts, st.integers(1, 65535), texts, st.none() | texts, texts)
def test_a_dsn_says_what_the_address_says(host: str, port: int, user: str, password: str | None, dbname: str) -> None:
    """Libpq reads every part back as it was, whatever characters it has, and a shell sees one word."""
    dsn = Address(host, port, user, password, "first", (("application_name", "x y&z"),)).dsn(dbname)
    wanted = {"host": host, "port": str(port), "user": user, "dbname": dbname, "application_name": "x y&z"}
    assert conninfo_to_dict(dsn) == wanted | ({"password": password} if password else {})
    assert dsn.split() == [dsn]


def test_neither_form_shows_the_password() -> None:
    """Nor what else was in the user's DSN."""
    address = Address("h", 1, "u", "secret", "d", (("sslpassword", "secret"),))
    assert "secret" not in f"{address} {address!r}"
