"""The jobs of CI: states as the vendor spells them, and what a cancel does."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from calloff.mock.jobs import SETTLING_SECONDS, JobKind, Lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def ci_job_kinds(dialect: Dialect, ids: Ids) -> dict[str, JobKind]:
    """Give the kinds of jobs of CI, by operation; ids are a letter and 32 hex digits, as in the samples."""
    batch, ai = dialect.of("tencent-ci/cancelInventoryTriggerJob"), dialect.of("tencent-ci/cancelAiJob")
    return {
        "tencent-ci/cancelInventoryTriggerJob": JobKind(
            _lifecycle(batch, _BATCH_OPEN[batch["ci-batch-cancellable"]]), lambda: "b" + ids.hex32()
        ),
        "tencent-ci/cancelAiJob": JobKind(
            _lifecycle(ai, _AI_OPEN[ai["ci-ai-pause"]]), lambda: "a" + ids.hex32()
        ),
    }


def _lifecycle(dialect: Dialect, open_states: Iterable[CiState]) -> Lifecycle:
    settling = SETTLING_SECONDS if dialect["ci-settle"] == "later" else 0.0
    again = frozenset({CiState.CANCEL} if dialect["ci-second-cancel"] == "accepted" else ())
    return Lifecycle(tuple(CiState), dict.fromkeys(open_states, CiState.CANCEL), settling, again)
