"""The jobs of DLI: states as the vendors spell them, and what a cancel does."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from calloff.mock.jobs import SETTLING_SECONDS, JobKind, Lifecycle

if TYPE_CHECKING:
    from calloff.mock.dialects import Dialect
    from calloff.mock.ids import Ids


class SqlState(StrEnum):
    """States of a SQL job (OTC-UMN managing_sql_jobs.rst; status page)."""

    LAUNCHING = "LAUNCHING"
    RUNNING = "RUNNING"
    SCALING = "SCALING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class BatchState(StrEnum):
    """States of a Spark batch (OTC-UMN managing_spark_jobs.rst); none for cancelled: it ends as dead."""

    STARTING = "starting"
    RUNNING = "running"
    RECOVERING = "recovering"
    SUCCESS = "success"
    DEAD = "dead"


def dli_job_kinds(dialect: Dialect, ids: Ids) -> dict[str, JobKind]:
    """Give the kinds of jobs of both DLI APIs, by operation."""
    return {
        operation: JobKind(lifecycle(dialect.of(operation)), ids.uuid)
        for operation, lifecycle in (
            ("otc-dli/cancelSqlJob", _sql_lifecycle),
            ("otc-dli/cancelBatchJob", _batch_lifecycle),
            ("huaweicloud-dli/cancelSqlJob", _sql_lifecycle),
        )
    }


def _sql_lifecycle(dialect: Dialect) -> Lifecycle:
    open_states = [SqlState.LAUNCHING, SqlState.RUNNING]
    if dialect["dli-scaling"] == "cancellable":
        open_states.append(SqlState.SCALING)
    return Lifecycle(tuple(SqlState), dict.fromkeys(open_states, SqlState.CANCELLED), _settling(dialect))


def _batch_lifecycle(dialect: Dialect) -> Lifecycle:
    open_states = [BatchState.STARTING, BatchState.RUNNING]
    if dialect["dli-recovering"] == "cancellable":
        open_states.append(BatchState.RECOVERING)
    return Lifecycle(tuple(BatchState), dict.fromkeys(open_states, BatchState.DEAD), _settling(dialect))


def _settling(dialect: Dialect) -> float:
    return SETTLING_SECONDS if dialect["dli-settle"] == "later" else 0.0
