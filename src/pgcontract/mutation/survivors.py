"""``survivors.toml``: mutants that may live, each with a reason that somebody has given."""

from __future__ import annotations

import tomllib

from pgcontract.errors import UsageError
from pgcontract.system import System

FILE = "survivors.toml"


def reasons(system: System) -> dict[str, str]:
    """The reasons by the mutants' ids; none where there is no such file.

    Raises UsageError where it cannot be read or holds something else.
    """
    if system.sql_file is not None:
        return {}
    path = system.root / FILE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError("The list of survivors cannot be read.", where=str(path), seen=str(error)) from error
    wrong = [name for name, reason in found.items() if not isinstance(reason, str) or not reason.strip()]
    if wrong:
        raise UsageError(
            "A survivor has no reason.", where=str(path), seen=wrong[0], remedy='Write: "id" = "why it may live"'
        )
    return found
