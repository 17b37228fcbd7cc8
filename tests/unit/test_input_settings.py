"""Which settings a schema asks for, by its own texts."""

from __future__ import annotations

import pytest

from pgcontract.inputs.settings import asked

UUID = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(current_setting('app.tenant'::text))::integer", {"app.tenant": "1"}),
        ("(tenant = (current_setting('App.Tenant'::text))::uuid)", {"app.tenant": UUID}),
        ("SELECT current_setting('a.b')::uuid, current_setting('c.d');", {"a.b": UUID, "c.d": "1"}),
        ("current_setting('app.tenant'::text, true)", {}),
        ("current_setting('timezone')", {}),
        ("current_setting(name)", {}),
        (None, {}),
    ],
)
def test_settings_that_are_asked_for(text: str | None, found: dict[str, str]) -> None:
    """Those of an application's, that are taken to be there; what may be missing stays so."""
    assert asked([text]) == found


def test_one_reading_as_a_uuid_decides() -> None:
    """A text can be read from a UUID, too."""
    texts = ["current_setting('a.b')::uuid", "current_setting('a.b')"]
    assert asked(texts) == asked(reversed(texts)) == {"a.b": UUID}
