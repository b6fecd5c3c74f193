"""How tests and people steer a running mock: `spec/mock-control.openapi.yaml`."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from calloff.errors import InvalidInputError
from calloff.mock.disturbances import KINDS, from_members
from calloff.mock.job_list import LISTED, MOST_LISTED, JobFilter, job_list
from calloff.mock.journal import LENGTH, Filter
from calloff.mock.json_app import JsonAnswer, JsonApp, JsonError, JsonRequest

if TYPE_CHECKING:
    from calloff.mock.answered import Answered
    from calloff.mock.disturbances import Disturbances, Running
    from calloff.mock.journal import Journal
    from calloff.mock.state import ServerState

ROOT = "/control"
_JOB_FILTERS = ("api", "operation", "state")
_FILTERS = ("api", "operation", "case")
_STATUS = re.compile("[1-5][0-9]{2}")
_NUMBER = re.compile("[1-9][0-9]{0,8}")


class Control(JsonApp):
    """Serve the control interface of a server."""

    def __init__(
        self, state: ServerState, disturbances: Disturbances, journal: Journal, answered: Answered
    ) -> None:
        self._state = state
        self._disturbances = disturbances
        self._journal = journal
        self._answered = answered

    def answer(self, request: JsonRequest) -> JsonAnswer:
        """Answer one call."""
        match request.method, request.path.split("/")[1:]:
            case "GET", ["control"]:
                return JsonAnswer(200, {"version": 1, "answered": self._answered.told(), "kinds": kinds()})
            case "DELETE", ["control"]:
                self._state.forget()
                self._disturbances.reset()
                self._journal.clear()
                self._answered.clear()
                return JsonAnswer(204)
            case "GET", ["control", "jobs"]:
                return JsonAnswer(200, self._jobs(request))
            case "GET", ["control", "disturbances"]:
                return JsonAnswer(200, {"disturbances": [_told(one) for one in self._disturbances.all()]})
            case "POST", ["control", "disturbances"]:
                return JsonAnswer(201, self._disturb(request))
            case "DELETE", ["control", "disturbances"]:
                self._disturbances.clear()
                return JsonAnswer(204)
            case "DELETE", ["control", "disturbances", number]:
                if not (_NUMBER.fullmatch(number) and self._disturbances.remove(int(number))):
                    raise JsonError(404, "No disturbance of that number is in force.")
                return JsonAnswer(204)
            case "GET", ["control", "journal"]:
                return JsonAnswer(200, self._entries(request))
            case "DELETE", ["control", "journal"]:
                self._journal.clear()
                return JsonAnswer(204)
            case _:
                raise JsonError(404, f"There is no {request.method} {request.path} here; see {ROOT}.")

    def refuse(self, error: JsonError) -> JsonAnswer:
        """Say why, in one member."""
        return JsonAnswer(error.status, {"error": error.message})

    def _jobs(self, request: JsonRequest) -> dict[str, object]:
        patterns: dict[str, str] = {}
        limit = LISTED
        for name, value in parse_qsl(request.query.decode("latin-1"), keep_blank_values=True):
            if name in _JOB_FILTERS:
                patterns[name] = value
            elif name == "limit" and _NUMBER.fullmatch(value) and int(value) <= MOST_LISTED:
                limit = int(value)
            else:
                raise JsonError(
                    400,
                    f"Expected {', '.join(_JOB_FILTERS)} or limit (1 to {MOST_LISTED}), not {name}={value}.",
                )
        return job_list(self._state, JobFilter(**patterns), limit)

    def _disturb(self, request: JsonRequest) -> dict[str, object]:
        content: Any = request.json()
        if not isinstance(content, dict):
            raise JsonError(400, "Expected a JSON object with the members of a disturbance.")
        try:
            return _told(self._disturbances.add(from_members(content)))
        except InvalidInputError as error:
            raise JsonError(400, str(error)) from error

    def _entries(self, request: JsonRequest) -> dict[str, object]:
        patterns: dict[str, str] = {}
        status, limit = None, LENGTH
        for name, value in parse_qsl(request.query.decode("latin-1"), keep_blank_values=True):
            if name in _FILTERS:
                patterns[name] = value
            elif name == "status" and _STATUS.fullmatch(value):
                status = int(value)
            elif name == "limit" and _NUMBER.fullmatch(value):
                limit = int(value)
            else:
                raise JsonError(
                    400,
                    f"Expected {', '.join(_FILTERS)}, status (a number of three digits) or limit (1 or more), "
                    f"not {name}={value}.",
                )
        wanted = Filter(**patterns, status=status)
        entries = self._journal.entries(wanted, limit=limit)
        return {"total": self._journal.total, "entries": [asdict(entry) for entry in entries]}


def _told(running: Running) -> dict[str, object]:
    told = {"id": running.id, **running.disturbance.members()}
    return told if running.left is None else told | {"left": running.left}


def kinds() -> dict[str, dict[str, Any]]:
    """Tell the kinds of disturbances, and the parameters that each takes, as data."""
    return {
        name: {
            "meaning": kind.meaning,
            "parameters": {
                key: {
                    "meaning": parameter.meaning,
                    "expected": parameter.expected,
                    "default": parameter.default,
                }
                for key, parameter in kind.takes.items()
            },
        }
        for name, kind in KINDS.items()
    }
