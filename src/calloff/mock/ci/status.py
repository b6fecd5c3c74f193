"""What CI tells of a job when it is asked for its state, as XML (GET-B, GET-AI; members NEW-B-WF, NEW-AI).

What echoes the request that made the job is left out: jobs of the mock were made by none. It notes no times either:
those that a state has reached are the moment when the server began, the others the vendor's dash.
"""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING

from calloff.mock.ci.errors import XML
from calloff.mock.ci.models import CiState
from calloff.mock.pipeline import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from calloff.mock.pipeline import Exchange

_NOT_REACHED = "-"
_EIGHT_HOURS = 8 * 3600  # the samples are in China's time
_STARTED = frozenset({CiState.RUNNING, CiState.SUCCESS, CiState.FAILED})
_ENDED = frozenset({CiState.SUCCESS, CiState.FAILED, CiState.CANCEL})
_WELL = ("Success", "")  # what the samples say of every job that has not failed
_FAILURE = ("InternalError", "The job failed.")
_OF_KIND = {"describeInventoryTriggerJob": {"Type": "Job", "Name": "job"}, "describeAiJob": {}}


def status_writer(name: str, began: float) -> Callable[[Exchange], Answer]:
    """Give the step that tells the state of the job that was found.

    Args:
        name: of the status call.
        began: when the server began, in epoch seconds.
    """
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+0800", time.gmtime(began + _EIGHT_HOURS))

    def write(exchange: Exchange) -> Answer:
        state = exchange.job.state(exchange.now)
        code, message = _FAILURE if state == CiState.FAILED else _WELL
        members = {
            "Code": code,
            "Message": message,
            **_OF_KIND[name],
            "JobId": exchange.job.id,
            "State": state,
            "CreationTime": moment,
            "StartTime": moment if state in _STARTED else _NOT_REACHED,
            "EndTime": moment if state in _ENDED else _NOT_REACHED,
        }
        return _response(name, exchange, f"<JobsDetail>{_elements(members)}</JobsDetail>")

    return write


def unknown_writer(name: str) -> Callable[[Exchange], Answer]:
    """Give the answer about a job that is not there, which is no error: the id, named as one that does not exist."""

    def write(exchange: Exchange) -> Answer:
        return _response(name, exchange, _elements({"NonExistJobIds": exchange.job_id}))

    return write


def _response(name: str, exchange: Exchange, content: str) -> Answer:
    """Write the answer of a status call; that of an AI job has no RequestId (GET-AI)."""
    request_id = "" if name == "describeAiJob" else _elements({"RequestId": exchange.request_id})
    return Answer(200, [XML], f"<Response>{request_id}{content}</Response>".encode())


def _elements(members: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(value, quote=False)}</{name}>" for name, value in members.items())
