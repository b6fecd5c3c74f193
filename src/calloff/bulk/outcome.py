"""What became of one job of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal["cancelled", "refused", "unknown", "not-sent"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job.

    ``operation`` is written as in ``otc-dli/cancelSqlJob``. ``result`` is

    - ``cancelled``: the service accepted the cancel, or its status says that the job is cancelled;
    - ``refused``: the service said no (``code`` is its own), or the job ended otherwise (``state`` says how);
    - ``unknown``: a cancel was sent, no answer came, and the status could not settle it (or, where the end of
      the job was waited for, it had not come in time);
    - ``not-sent``: nothing left for this job: its id is none, or the run stopped before its turn.

    ``state`` is the vendor's own word for the job's state where it was read, else empty; ``status`` the HTTP
    status of the last answer, None where none came; ``reason`` one sentence without secrets, empty where there
    is nothing to say; ``request_id`` what the vendor's support asks for; ``attempts`` the cancels sent.
    """

    job_id: str
    operation: str
    result: Result
    state: str = ""
    status: int | None = None
    code: str = ""
    reason: str = ""
    request_id: str = ""
    attempts: int = 0
