"""The jobs of DLI: states as the vendors spell them, and what a cancel does."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from calloff.mock.course import Course, Stay
from calloff.mock.jobs import SETTLING_SECONDS, JobKind, Lifecycle

if TYPE_CHECKING:
    from collections.abc import Mapping

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


# Seconds of our choosing, within what the vendors say: a SQL job is cancelled by the system after 12 hours only
# (OTC-UMN sql_jobs.rst), a batch waits about 3 hours for resources before it is dead (OTC-API create page).
_SQL_STAYS: Mapping[str, Stay] = {
    SqlState.LAUNCHING: Stay(1, 5, {SqlState.RUNNING: 0.98, SqlState.FAILED: 0.02}),
    SqlState.RUNNING: Stay(10, 60, {SqlState.FINISHED: 0.85, SqlState.FAILED: 0.05, SqlState.SCALING: 0.1}),
    SqlState.SCALING: Stay(5, 20, {SqlState.RUNNING: 1.0}),
}
_BATCH_STAYS: Mapping[str, Stay] = {
    BatchState.STARTING: Stay(20, 60, {BatchState.RUNNING: 0.95, BatchState.DEAD: 0.05}),
    BatchState.RUNNING: Stay(
        60, 300, {BatchState.SUCCESS: 0.85, BatchState.DEAD: 0.05, BatchState.RECOVERING: 0.1}
    ),
    BatchState.RECOVERING: Stay(10, 30, {BatchState.RUNNING: 0.8, BatchState.DEAD: 0.2}),
}


def dli_job_kinds(dialect: Dialect, ids: Ids, speed: float = 0.0) -> dict[str, JobKind]:
    """Give the kinds of jobs of both DLI APIs, by operation.

    Args:
        dialect: the choices where the vendors are silent.
        ids: makes ids, and draws how long jobs take.
        speed: how many times faster than the tables jobs run; at 0 they stay where they are put.
    """
    return {
        operation: JobKind(
            lifecycle(dialect.of(operation), Course(stays, speed, ids.draw) if speed else None), ids.uuid
        )
        for operation, lifecycle, stays in (
            ("otc-dli/cancelSqlJob", _sql_lifecycle, _SQL_STAYS),
            ("otc-dli/cancelBatchJob", _batch_lifecycle, _BATCH_STAYS),
            ("huaweicloud-dli/cancelSqlJob", _sql_lifecycle, _SQL_STAYS),
        )
    }


def _sql_lifecycle(dialect: Dialect, course: Course | None) -> Lifecycle:
    open_states = [SqlState.LAUNCHING, SqlState.RUNNING]
    if dialect["dli-scaling"] == "cancellable":
        open_states.append(SqlState.SCALING)
    moves: dict[str, str] = dict.fromkeys(open_states, SqlState.CANCELLED)
    return Lifecycle(tuple(SqlState), moves, _settling(dialect), course=course)


def _batch_lifecycle(dialect: Dialect, course: Course | None) -> Lifecycle:
    open_states = [BatchState.STARTING, BatchState.RUNNING]
    if dialect["dli-recovering"] == "cancellable":
        open_states.append(BatchState.RECOVERING)
    moves: dict[str, str] = dict.fromkeys(open_states, BatchState.DEAD)
    return Lifecycle(tuple(BatchState), moves, _settling(dialect), course=course)


def _settling(dialect: Dialect) -> float:
    return SETTLING_SECONDS if dialect["dli-settle"] == "later" else 0.0
