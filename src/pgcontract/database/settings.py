"""How many connections, and how long to wait for one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from pgcontract.errors import UsageError

ENVIRONMENT: Final = "PGCONTRACT_ENV"
DEVELOPMENT: Final = "development"
_VARIABLES: Final = {
    "min_size": "PGCONTRACT_POOL_MIN",
    "max_size": "PGCONTRACT_POOL_MAX",
    "idle_seconds": "PGCONTRACT_POOL_IDLE",
    "connect_seconds": "PGCONTRACT_POOL_CONNECT",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a pool keeps to. Seconds may be fractions.

    ``idle_seconds``: after so long without work, connections above ``min_size`` are closed. ``connect_seconds``: how
    long a new connection may take, and how long a query waits for one of the pool's. ``log_queries``: tell each query
    with its duration and its text, never its values.
    """

    min_size: int = 2
    max_size: int = 20
    idle_seconds: float = 30.0
    connect_seconds: float = 2.0
    log_queries: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError where no pool can be like that."""
        if not 0 <= self.min_size <= self.max_size or self.max_size < 1:
            raise UsageError(
                "No pool has such a size",
                seen=f"min {self.min_size}, max {self.max_size}",
                remedy="give 0 <= min <= max and 1 <= max",
            )
        for name in ("idle_seconds", "connect_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is no time to wait", seen=str(getattr(self, name)), remedy="give 0 < seconds")

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
        """The defaults, except where the environment says otherwise. Raises UsageError for what is no number.

        PGCONTRACT_POOL_MIN, _MAX, _IDLE and _CONNECT; PGCONTRACT_ENV=development logs queries.
        """
        given = os.environ if environment is None else environment
        types = {field.name: int if field.name.endswith("size") else float for field in fields(Settings)}
        numbers = {
            name: _number(variable, given[variable], types[name])
            for name, variable in _VARIABLES.items()
            if given.get(variable)
        }
        defaults = Settings()
        return Settings(
            min_size=int(numbers.get("min_size", defaults.min_size)),
            max_size=int(numbers.get("max_size", defaults.max_size)),
            idle_seconds=numbers.get("idle_seconds", defaults.idle_seconds),
            connect_seconds=numbers.get("connect_seconds", defaults.connect_seconds),
            log_queries=given.get(ENVIRONMENT) == DEVELOPMENT,
        )


def _number(variable: str, text: str, kind: type[int | float]) -> float:
    try:
        return kind(text)
    except ValueError as error:
        words = "a whole number" if kind is int else "a number of seconds"
        raise UsageError(f"{variable} is not as it must be", seen=text, remedy=f"give {words}") from error
