"""What is to be known of a pool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """A pool's figures. ``size`` counts connections that are being made, too; ``lost`` those that died.

    ``requests`` were made since the pool was opened, of which ``failed_requests`` got no connection in time.
    """

    open: bool
    min_size: int
    max_size: int
    size: int = 0
    idle: int = 0
    in_use: int = 0
    waiting: int = 0
    requests: int = 0
    failed_requests: int = 0
    failed_connections: int = 0
    lost: int = 0
