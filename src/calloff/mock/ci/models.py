"""The jobs of CI: states as the vendor spells them, and what a cancel does."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from calloff.mock.course import Course, Stay
from calloff.mock.jobs import SETTLING_SECONDS, JobKind, Lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from calloff.mock.dialects import Dialect
    from calloff.mock.ids import Ids


class CiState(StrEnum):
    """States of a batch job and of an AI job (NEW-B-WF, NEW-AI, NET)."""

    SUBMITTED = "Submitted"
    RUNNING = "Running"
    SUCCESS = "Success"
    FAILED = "Failed"
    PAUSE = "Pause"
    CANCEL = "Cancel"


_BATCH_OPEN = {
    "running-and-pause": (CiState.SUBMITTED, CiState.RUNNING, CiState.PAUSE),
    "pause": (CiState.SUBMITTED, CiState.PAUSE),
    "none": (CiState.SUBMITTED,),
}
_AI_OPEN = {
    "cancellable": (CiState.SUBMITTED, CiState.PAUSE),
    "not-cancellable": (CiState.SUBMITTED,),
}

# Seconds of our choosing: the vendor names none. A paused queue holds its jobs until a person resumes it
# (QUEUE), so nothing but a cancel ends a pause.
_BATCH_STAYS: Mapping[str, Stay] = {
    CiState.SUBMITTED: Stay(1, 10, {CiState.RUNNING: 1.0}),
    CiState.RUNNING: Stay(30, 300, {CiState.SUCCESS: 0.9, CiState.FAILED: 0.1}),
}
_AI_STAYS: Mapping[str, Stay] = {
    CiState.SUBMITTED: Stay(2, 20, {CiState.RUNNING: 1.0}),
    CiState.RUNNING: Stay(5, 60, {CiState.SUCCESS: 0.9, CiState.FAILED: 0.1}),
}


def ci_job_kinds(dialect: Dialect, ids: Ids, speed: float = 0.0) -> dict[str, JobKind]:
    """Give the kinds of jobs of CI, by operation; ids are a letter and 32 hex digits, as in the samples.

    Args:
        dialect: the choices where the vendor is silent.
        ids: makes ids, and draws how long jobs take.
        speed: how many times faster than the tables jobs run; at 0 they stay where they are put.
    """
    batch, ai = dialect.of("tencent-ci/cancelInventoryTriggerJob"), dialect.of("tencent-ci/cancelAiJob")
    return {
        "tencent-ci/cancelInventoryTriggerJob": JobKind(
            _lifecycle(batch, _BATCH_OPEN[batch["ci-batch-cancellable"]], _course(_BATCH_STAYS, speed, ids)),
            lambda: "b" + ids.hex32(),
        ),
        "tencent-ci/cancelAiJob": JobKind(
            _lifecycle(ai, _AI_OPEN[ai["ci-ai-pause"]], _course(_AI_STAYS, speed, ids)),
            lambda: "a" + ids.hex32(),
        ),
    }


def _course(stays: Mapping[str, Stay], speed: float, ids: Ids) -> Course | None:
    return Course(stays, speed, ids.draw) if speed else None


def _lifecycle(dialect: Dialect, open_states: Iterable[CiState], course: Course | None) -> Lifecycle:
    settling = SETTLING_SECONDS if dialect["ci-settle"] == "later" else 0.0
    again = frozenset({CiState.CANCEL} if dialect["ci-second-cancel"] == "accepted" else ())
    return Lifecycle(tuple(CiState), dict.fromkeys(open_states, CiState.CANCEL), settling, again, course)
