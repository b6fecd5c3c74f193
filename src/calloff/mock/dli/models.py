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
    settling = SETTLING_SECONDS if dialect["dli-settle"] == "later" else 0.0
    sql_open = [SqlState.LAUNCHING, SqlState.RUNNING]
    if dialect["dli-scaling"] == "cancellable":
        sql_open.append(SqlState.SCALING)
    batch_open = [BatchState.STARTING, BatchState.RUNNING]
    if dialect["dli-recovering"] == "cancellable":
        batch_open.append(BatchState.RECOVERING)
    sql = Lifecycle(tuple(SqlState), dict.fromkeys(sql_open, SqlState.CANCELLED), settling)
    batch = Lifecycle(tuple(BatchState), dict.fromkeys(batch_open, BatchState.DEAD), settling)
    return {
        "otc-dli/cancelSqlJob": JobKind(sql, ids.uuid),
        "otc-dli/cancelBatchJob": JobKind(batch, ids.uuid),
        "huaweicloud-dli/cancelSqlJob": JobKind(sql, ids.uuid),
    }
