"""Send what schemathesis writes from the document: signed, supplied with jobs, the state read back.

Stock schemathesis keeps no job alive and reads no state back; what it lacks is added here: a fresh job behind every
path parameter, the state afterwards, and a mapping of its checks to requirements.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from calloff.verify.fuzz_source import Batch, Here
from calloff.verify.outcome import cut
from calloff.verify.shapes import FINAL_REQUIREMENT, JOB_STATES
from calloff.verify.target import CannotSupplyError
from calloff.verify.wire import NoAnswerError, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.apis import Operation
    from calloff.verify.fuzz_source import Flaw, FuzzCase, FuzzSource
    from calloff.verify.judge import Answer
    from calloff.verify.recipes import Recipe
    from calloff.verify.session import Probe
    from calloff.verify.target import Job

KINDS = ("positive", "negative", "credentials", "methods")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# What each check of schemathesis demands.
_DOCUMENTED = {
    "not_a_server_error": "no 5xx",
    "status_code_conformance": "a status as documented",
    "content_type_conformance": "a Content-Type as documented",
    "response_headers_conformance": "headers as documented",
    "response_schema_conformance": "a body as documented",
}
_CI_HEADERS = {
    "content-length": "ci-success-is-empty",
    "server": "ci-server-header",
    "x-ci-trace-id": "ci-trace-id-on-failure",
}


def counts(operation: Operation, positive: int, negative: int) -> dict[str, int]:
    """Return how many requests there are of each kind, *positive* for each state of a job and for an unknown one."""
    return {
        "positive": positive * len(_known_states(operation)),
        "negative": negative,
        "credentials": 2,
        "methods": len(_METHODS) - 1,
    }


def requirements(operation_key: str, kind: str) -> tuple[str, ...]:
    """Return the requirements that the requests of *kind* can show to be broken."""
    ci = operation_key.startswith("tencent-ci/")
    if kind == "methods":
        return ("other-method-cancels-nothing",)
    form: tuple[str, ...] = ("no-server-fault", "status-documented")
    if ci:
        form += ("ci-error-is-xml", "ci-request-id", *_CI_HEADERS.values())
    else:
        form += ("dli-error-is-json", "dli-gateway-request-id", "dli-success-is-json")
    return (*_own_requirements(operation_key, kind), *form)


def _own_requirements(operation_key: str, kind: str) -> tuple[str, ...]:
    """Return what the requests of *kind* are about, the form of the answers aside."""
    ci = operation_key.startswith("tencent-ci/")
    if kind == "positive":
        return (
            "cancel-accepted",
            "cancel-takes-effect",
            "unknown-job-refused",
            "refusal-changes-nothing",
            FINAL_REQUIREMENT[operation_key],
            *(() if ci else ("dli-second-cancel-refused",)),
        )
    if kind == "negative":
        named = ("malformed-id-refused", "unknown-job-refused")
        return (*named, *(("ci-cancel-only-with-parameter",) if ci else ()))
    return tuple(requirement for requirement, _ in _wrong_credentials(operation_key))


def _wrong_credentials(operation_key: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    if operation_key.startswith("tencent-ci/"):
        return (("ci-auth-missing", ()), ("ci-auth-malformed", (("Authorization", "made-up"),)))
    return (("dli-auth-missing", ()), ("dli-auth-token-garbage", (("X-Auth-Token", "made-up"),)))


def _known_states(operation: Operation) -> tuple[str, ...]:
    """Return the states that valid requests meet a job in, the empty one standing for no job."""
    states = JOB_STATES[operation.key]
    return (*states.cancellable, *states.final, *states.silent, "")


def batch(operation: Operation, kind: str, seed: int, count: int) -> Batch:
    """Return what schemathesis is to write for *count* requests of *kind*."""
    if kind == "positive":
        return Batch(operation.key, "valid", seed, count)
    if kind == "negative":
        return Batch(operation.key, "invalid", seed, count)
    return Batch(operation.key, "documented")


def fuzz(
    probe: Probe, *, kind: str, seed: int, count: int, only: int = 0, source: FuzzSource | None = None
) -> None:
    """Send *count* requests of *kind* at most, or the one with the number *only*, each as a case of its own.

    *source* has them written, by default in this process.
    """
    fuzzer = _Fuzzer(probe, probe.session.default_recipe(), source or Here())
    for number, send in enumerate(fuzzer.sendings(kind, seed, count), 1):
        if only in {0, number}:
            case = probe if only else probe.named(f"{kind}-{number}")
            try:
                send(_Fuzzer(case, fuzzer.recipe, fuzzer.source))
            except NoAnswerError:
                continue  # noted as a violation where it happened
            except CannotSupplyError as error:
                for requirement in _own_requirements(probe.operation.key, kind):
                    case.skip(requirement, str(error))


class _Fuzzer:
    """Sends one case and holds the answer to the document and to the state of the job."""

    def __init__(self, probe: Probe, recipe: Recipe, source: FuzzSource) -> None:
        self.probe = probe
        self.source = source
        self.states = JOB_STATES[probe.operation.key]
        self.family = "ci" if probe.operation.api == "tencent-ci" else "dli"
        self.recipe = recipe

    def sendings(self, kind: str, seed: int, count: int) -> list[Callable[[_Fuzzer], None]]:
        """Return what sends each of the requests of *kind*, in the order of their numbers."""
        operation = self.probe.operation
        cases = self.source.written(batch(operation, kind, seed, count))
        if kind == "positive":
            known = _known_states(operation)
            return [
                partial(_Fuzzer.well_formed, case=case, state=known[number % len(known)])
                for number, case in enumerate(cases)
            ]
        if kind == "negative":
            return [partial(_Fuzzer.malformed, case=case) for case in cases]
        case = cases[0]
        if kind == "credentials":
            return [
                partial(_Fuzzer.wrong_credential, case=case, requirement=requirement, credential=credential)
                for requirement, credential in _wrong_credentials(operation.key)
            ]
        return [
            partial(_Fuzzer.other_method, case=case, method=method)
            for method in _METHODS
            if method != operation.method
        ]

    def well_formed(self, case: FuzzCase, state: str) -> None:
        """Send a valid request: about a fresh job in *state*, or about the generated id where *state* is empty."""
        job = self._job(state, spend=state not in self.states.final) if state else None
        answer = self._call(case, job)
        if job is None:
            self._expect("unknown-job-refused", not answer.accepted, "a refusal", answer)
        elif state in self.states.cancellable:
            self._expect("cancel-accepted", answer.accepted, f"an accepted cancel in {state}", answer)
            self._state_is(job, answer, cancelled=True)
            self._second_cancel(case, job)
        elif state in self.states.final:
            requirement = FINAL_REQUIREMENT[self.probe.operation.key]
            self._expect(requirement, not answer.accepted, f"a refusal in {state}", answer)
            if state != self.states.cancelled and not answer.accepted:
                self._state_is(job, answer, cancelled=False)

    def malformed(self, case: FuzzCase) -> None:
        """Send a request that the document does not allow; one without ``cancel`` about a fresh job."""
        names = {part.partition("=")[0] for part in case.query.split("&")}
        if self.family == "ci" and "cancel" not in names:
            job = self._job(self.states.cancellable[0])
            answer = self._call(case, job)
            self._state_is(job, answer, cancelled=False, requirement="ci-cancel-only-with-parameter")
        else:
            answer = self._call(case, None)
            # It may be another part of the request that the document does not allow.
            parameter = self.probe.operation.job_parameter
            job_id = unquote(case.path_parameters.get(parameter, ""))
            well_formed = re.fullmatch(self.probe.operation.patterns[parameter], job_id)
            requirement = "unknown-job-refused" if well_formed else "malformed-id-refused"
            self._expect(requirement, not answer.accepted, "a refusal", answer)

    def wrong_credential(
        self, case: FuzzCase, requirement: str, credential: tuple[tuple[str, str], ...]
    ) -> None:
        """Send the documented request with *credential* alone, which is none or a made-up one."""
        job = self._job(self.states.cancellable[0], spend=False)
        answer = self._call(case, job, credential=credential)
        self._expect(requirement, answer.response.status in {401, 403}, "401 or 403", answer)
        self._state_is(job, answer, cancelled=False, requirement=requirement)

    def other_method(self, case: FuzzCase, method: str) -> None:
        """Send the documented target with another method."""
        job = self._job(self.states.cancellable[0])
        answer = self._call(case, job, method=method)
        self._state_is(job, answer, cancelled=False, requirement="other-method-cancels-nothing")

    def _job(self, state: str, *, spend: bool = True) -> Job:
        return self.probe.target.new_job(self.probe.operation, state, spend=spend)

    def _second_cancel(self, case: FuzzCase, job: Job) -> None:
        requirement = "dli-second-cancel-refused"
        if self.states.second_cancel_is_silent or not self.probe.reads(requirement):
            return
        answer = self._call(case, job)
        self._expect(requirement, not answer.accepted, "a refusal of the second cancel", answer)

    def _call(
        self,
        case: FuzzCase,
        job: Job | None,
        *,
        credential: tuple[tuple[str, str], ...] | None = None,
        method: str = "",
    ) -> Answer:
        probe = self.probe
        request = self._request(case, job, method or probe.operation.method)
        # Through the wire of the suite: no redirect is followed, no proxy, .netrc or decompression comes between.
        if credential is None:
            answer = probe.call(request, self.recipe, ask=probe.ask)
        else:
            answer = probe.ask(Request(request.method, request.target, (*request.headers, *credential)))
        probe.status = answer.response.status
        if not method:
            absent = self.family == "dli"
            for flaw in self.source.flaws(case, answer.response, body_may_be_absent=absent):
                probe.violate(
                    self._requirement_of(flaw, answer),
                    _DOCUMENTED[flaw.check],
                    # What follows is the part of the document, which the source names.
                    cut(flaw.received.partition("\n\nSchema:")[0]) or answer.summary,
                    answer.exchange,
                )
        return answer

    def _request(self, case: FuzzCase, job: Job | None, method: str) -> Request:
        probe, operation = self.probe, self.probe.operation
        written = probe.request(job.parameters, job.host) if job is not None else probe.request({})
        headers = [(name, value) for name, value in written.headers if name != "Content-Length"]
        known = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in case.headers if name.lower() not in known]
        if "content-length" not in {name.lower() for name, _ in headers} and method not in {"GET", "DELETE"}:
            headers.append(("Content-Length", str(len(case.body))))
        path = written.target.partition("?")[0]
        if job is None:
            parameters = dict(case.path_parameters)
            if "project_id" in operation.patterns:
                # Any other project would be refused before the job id is looked at.
                parameters["project_id"] = probe.own_parameters("")["project_id"]
            for name, value in parameters.items():
                path = path.replace("{" + name + "}", value)
        target = path + (f"?{case.query}" if case.query else "")
        return Request(method, target, tuple(headers), case.body)

    def _requirement_of(self, flaw: Flaw, answer: Answer) -> str:
        """Name the requirement that a failed check of schemathesis shows to be broken."""
        by_check = {"not_a_server_error": "no-server-fault", "status_code_conformance": "status-documented"}
        if flaw.check in by_check:
            return by_check[flaw.check]
        if self.family == "ci":
            if flaw.check == "response_headers_conformance":
                named = (rule for header, rule in _CI_HEADERS.items() if header in flaw.named.lower())
                return next(named, "ci-request-id")
            return "ci-success-is-empty" if answer.response.status == 200 else "ci-error-is-xml"
        if answer.response.status == 200:
            return "dli-success-is-json"
        return "dli-gateway-request-id" if "request_id" in flaw.named else "dli-error-is-json"

    def _expect(self, requirement: str, held: bool, expected: str, answer: Answer) -> None:
        self.probe.hold(requirement)
        if not held:
            self.probe.violate(requirement, expected, answer.summary, answer.exchange)

    def _state_is(
        self, job: Job, answer: Answer, *, cancelled: bool, requirement: str = "refusal-changes-nothing"
    ) -> None:
        operation, target = self.probe.operation, self.probe.target
        if cancelled and not answer.accepted:
            return
        if cancelled:
            requirement = "cancel-takes-effect"
        if not self.probe.reads(requirement):
            return
        after = self.probe.settled_state(job.job_id) if cancelled else target.state(operation, job.job_id)
        self.probe.hold(requirement)
        if (after == self.states.cancelled) != cancelled:
            expected = f"{'' if cancelled else 'not '}state {self.states.cancelled}"
            self.probe.violate(
                requirement, expected, f"{answer.summary}, then state {after}", answer.exchange, "state"
            )
