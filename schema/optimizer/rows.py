"""Rows of optimizer, typed.

`pgcontract models` writes this from the contract: change the schema, not this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.types.enum import EnumInfo, register_enum


class ItemStatus(StrEnum):
    """Labels of item_status."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class JobStatus(StrEnum):
    """Labels of job_status."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class AppInstance:
    """A row of app_instances."""

    TABLE: ClassVar[LiteralString] = "public.app_instances"
    COLUMNS: ClassVar[LiteralString] = """
        instance_id, site_host, access_token, refresh_token, token_expires_at, plan_id,
        credits_total, credits_used_month, credits_reset_on, created_at, updated_at
    """

    instance_id: str
    site_host: str
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    token_expires_at: datetime | None
    plan_id: str
    credits_total: int
    credits_used_month: int
    credits_reset_on: date
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class JobItem:
    """A row of job_items."""

    TABLE: ClassVar[LiteralString] = "public.job_items"
    COLUMNS: ClassVar[LiteralString] = """
        id, job_id, product_id, attribute, before_value, after_value, status, error,
        created_at, updated_at
    """

    id: UUID
    job_id: UUID
    product_id: str
    attribute: str
    before_value: str | None
    after_value: str | None
    status: ItemStatus
    error: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """A row of jobs."""

    TABLE: ClassVar[LiteralString] = "public.jobs"
    COLUMNS: ClassVar[LiteralString] = """
        id, instance_id, status, source_scope, source_ids, attributes, target_lang,
        user_prompt, created_at, started_at, finished_at, error
    """

    id: UUID
    instance_id: str
    status: JobStatus
    source_scope: str
    source_ids: Any
    attributes: Any
    target_lang: str
    user_prompt: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A row of plans."""

    TABLE: ClassVar[LiteralString] = "public.plans"
    COLUMNS: ClassVar[LiteralString] = """
        id, name, price_cents, monthly_credits
    """

    id: str
    name: str
    price_cents: int
    monthly_credits: int


@dataclass(frozen=True, slots=True)
class PublishLog:
    """A row of publish_logs."""

    TABLE: ClassVar[LiteralString] = "public.publish_logs"
    COLUMNS: ClassVar[LiteralString] = """
        id, instance_id, product_id, attribute, applied_value, applied_at
    """

    id: UUID
    instance_id: str
    product_id: str
    attribute: str
    applied_value: str
    applied_at: datetime


def register(connection: Connection[Any]) -> None:
    """Have a connection load these types as above; call it with each new connection."""
    _register_enum(connection, "public.item_status", ItemStatus)
    _register_enum(connection, "public.job_status", JobStatus)


def _register_enum(
    connection: Connection[Any],
    name: str,
    enum: type[StrEnum],
) -> None:
    info = EnumInfo.fetch(connection, name)
    if info is None:
        raise LookupError(name)
    mapping = {member: member.value for member in enum}
    register_enum(info, connection, enum, mapping=mapping)
