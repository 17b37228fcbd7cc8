"""One thing that a rule found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``where`` is ``file:line``; ``subject`` is the object that it is about, if there is one, or the migration's name.

    A rule is switched off by its name, or for one subject by ``rule:subject``.
    """

    rule: str
    where: str
    message: str
    remedy: str
    subject: str
    migration: str
