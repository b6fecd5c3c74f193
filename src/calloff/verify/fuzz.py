"""Let schemathesis write requests from the document: signed, supplied with jobs, XML answers deserialised.

Stock schemathesis keeps no job alive and reads no state back; what it lacks is added here: a fresh job behind every
path parameter, the state afterwards, and a mapping of its checks to requirements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import requests
import schemathesis
from defusedxml.ElementTree import fromstring
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response as FuzzedResponse

from calloff.verify.escape import Escape
from calloff.verify.outcome import Exchange, cut
from calloff.verify.shapes import FINAL_REQUIREMENT, JOB_STATES
from calloff.verify.wire import NoAnswerError, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.verify.judge import Answer
    from calloff.verify.recipes import Recipe
    from calloff.verify.session import Probe
    from calloff.verify.target import Job

# By name, since minor releases of schemathesis add checks that are on unless listed.
CHECK_NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)

_CONFIG = {
    "generation": {"with-security-parameters": False, "database": "none"},
    "cache": {"enabled": False},
    "analysis": {"constants": {"enabled": False}},
}

_OF_A_REQUEST = frozenset({"method", "url", "headers", "params", "cookies", "data", "json", "files"})

_CI_HEADERS = {
    "content-length": "ci-success-is-empty",
    "server": "ci-server-header",
    "x-ci-trace-id": "ci-trace-id-on-failure",
}


@schemathesis.deserializer("application/xml", "text/xml")
def _xml(_context: object, response: Any) -> Any:
    """Read the leaves of an error body; schemathesis validates no XML unless told how to read it."""
    root = fromstring(response.content, forbid_dtd=True)
    if root.tag != "Error":
        msg = f"expected root Error, got {root.tag}"
        raise ValueError(msg)
    return {child.tag: child.text or "" for child in root}


def requirements(operation_key: str) -> tuple[str, ...]:
    """Return the requirements that this layer can show to be broken."""
    common = (
        "cancel-accepted",
        "cancel-takes-effect",
        "unknown-job-refused",
        "malformed-id-refused",
        "no-server-fault",
        "other-method-cancels-nothing",
        "refusal-changes-nothing",
        "status-documented",
        FINAL_REQUIREMENT[operation_key],
    )
    if operation_key.startswith("tencent-ci/"):
        return (
            *common,
            "ci-auth-malformed",
            "ci-auth-missing",
            "ci-cancel-only-with-parameter",
            "ci-error-is-xml",
            "ci-request-id",
            *_CI_HEADERS.values(),
        )
    return (
        *common,
        "dli-auth-missing",
        "dli-auth-token-garbage",
        "dli-error-is-json",
        "dli-gateway-request-id",
        "dli-second-cancel-refused",
        "dli-success-is-json",
    )


def request_of(prepared: requests.PreparedRequest) -> Request:
    """Return what *prepared* puts on the wire."""
    headers = {str(key): _text(value) for key, value in prepared.headers.items()}
    headers.setdefault("Host", urlsplit(prepared.url or "").netloc)
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    return Request(
        prepared.method or "",
        prepared.path_url,
        tuple(headers.items()),
        body if isinstance(body, bytes) else b"",
    )


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def fuzz(probe: Probe, *, seed: int, examples: int = 40) -> None:
    """Send *examples* well-formed and as many malformed requests, and a few without a right credential."""
    operation, target = probe.operation, probe.target
    states = JOB_STATES[operation.key]
    recipe = probe.session.default_recipe()
    target.new_job(operation, states.cancellable[0])
    load_all_checks()
    schema = schemathesis.openapi.from_dict(
        dict(probe.session.document.content), config=schemathesis.Config.from_dict(_CONFIG)
    )
    schema.config.update(base_url=target.base_url)
    api_operation = schema[operation.path][operation.method]
    fuzzer = _Fuzzer(probe, recipe)
    known = [*states.cancellable, *states.final, *states.silent, ""]
    escape = Escape()
    options = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )

    @with_seed(seed)
    @options
    @given(
        case=api_operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
        state=st.sampled_from(known),
    )
    def positive(case: Any, state: str) -> None:
        with escape.inside():
            fuzzer.well_formed(case, state)

    @with_seed(seed)
    @options
    @given(
        case=api_operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
        supplied=st.booleans(),
    )
    def negative(case: Any, supplied: bool) -> None:
        with escape.inside():
            fuzzer.malformed(case, supplied=supplied)

    with escape.around():
        positive()
        negative()
    fuzzer.without_right_credential(api_operation)
    fuzzer.other_methods(api_operation)


def _flaw(check: str, failure: Any, received: str, answer: Answer) -> str:
    """Say what is wrong so that it names the member or the header that it is about."""
    if check == "response_schema_conformance":
        # The message shows the whole body too.
        return str(getattr(failure, "validation_message", received))
    # The message about the value of a header leaves its name out.
    value = str(getattr(failure, "instance", ""))
    return " ".join([received, *(name for name, held in answer.response.headers if held == value)])


class _Fuzzer:
    """Sends cases and holds the answers to the document and to the states of the jobs."""

    def __init__(self, probe: Probe, recipe: Recipe) -> None:
        self.probe = probe
        self.states = JOB_STATES[probe.operation.key]
        self.family = "ci" if probe.operation.api == "tencent-ci" else "dli"
        self.recipe = recipe
        self.checks = CHECKS.get_by_names(CHECK_NAMES)

    def well_formed(self, case: Any, state: str) -> None:
        """Send a valid request: about a fresh job in *state*, or about the generated id where *state* is empty."""
        job = self._supply(case, state) if state else None
        if job is None:
            self._in_own_project(case)
        answer = self._call(case)
        if answer is None:
            return
        if job is None:
            self._expect("unknown-job-refused", not answer.accepted, "a refusal", answer)
        elif state in self.states.cancellable:
            self._expect("cancel-accepted", answer.accepted, f"an accepted cancel in {state}", answer)
            self._state_is(job, answer, cancelled=True)
            self._second_cancel(case)
        elif state in self.states.final:
            requirement = FINAL_REQUIREMENT[self.probe.operation.key]
            self._expect(requirement, not answer.accepted, f"a refusal in {state}", answer)
            if state != self.states.cancelled and not answer.accepted:
                self._state_is(job, answer, cancelled=False)

    def malformed(self, case: Any, *, supplied: bool) -> None:
        """Send a request that the document does not allow; with *supplied* about a fresh job."""
        in_query = self.family == "ci" and "cancel" not in (case.query or {})
        job = self._supply(case, self.states.cancellable[0]) if supplied else None
        if job is None:
            self._in_own_project(case)
        answer = self._call(case)
        if answer is None:
            return
        if job is None and not in_query:
            self._expect("malformed-id-refused", not answer.accepted, "a refusal", answer)
        elif job is not None and in_query:
            self._state_is(job, answer, cancelled=False, requirement="ci-cancel-only-with-parameter")

    def without_right_credential(self, api_operation: Any) -> None:
        """Send the documented request without any credential, and with a made-up one."""
        missing, garbage = f"{self.family}-auth-missing", f"{self.family}-auth-malformed"
        made_up = {"Authorization": "made-up"}
        if self.family == "dli":
            garbage, made_up = "dli-auth-token-garbage", {"X-Auth-Token": "made-up"}
        for requirement, headers in ((missing, {}), (garbage, made_up)):
            case = self._documented_case(api_operation)
            job = self._supply(case, self.states.cancellable[0])
            answer = self._call(case, headers=headers, sign=False)
            if answer is not None:
                refused = answer.response.status in {401, 403}
                self._expect(requirement, refused, "401 or 403", answer)
                self._state_is(job, answer, cancelled=False, requirement=requirement)

    def other_methods(self, api_operation: Any) -> None:
        """Send the documented target with every other method."""
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if method == self.probe.operation.method:
                continue
            case = self._documented_case(api_operation)
            job = self._supply(case, self.states.cancellable[0])
            case.method = method
            answer = self._call(case, conforms=False)
            if answer is not None:
                requirement = "other-method-cancels-nothing"
                self._state_is(job, answer, cancelled=False, requirement=requirement)

    def _documented_case(self, api_operation: Any) -> Any:
        operation = self.probe.operation
        return api_operation.Case(path_parameters={}, query={operation.query: ""} if operation.query else {})

    def _supply(self, case: Any, state: str) -> Job:
        job = self.probe.target.new_job(self.probe.operation, state)
        case.path_parameters = {key: quote(value, safe="") for key, value in job.parameters.items()}
        return job

    def _in_own_project(self, case: Any) -> None:
        # Any other project would be refused before the job id is looked at.
        if "project_id" in self.probe.operation.patterns:
            case.path_parameters["project_id"] = self.probe.target.keys.project_id

    def _second_cancel(self, case: Any) -> None:
        if self.states.second_cancel_is_silent:
            return
        answer = self._call(case)
        if answer is not None:
            requirement = "dli-second-cancel-refused"
            self._expect(requirement, not answer.accepted, "a refusal of the second cancel", answer)

    def _call(
        self, case: Any, *, headers: Mapping[str, str] | None = None, sign: bool = True, conforms: bool = True
    ) -> Answer | None:
        probe = self.probe
        sent = dict(headers or {})
        if probe.target.host:
            sent["Host"] = probe.target.host
        if probe.operation.method == "PUT":
            sent["Content-Length"] = "0"
        if probe.operation.api == "huaweicloud-dli":
            sent["Content-Type"] = "application/json"
        written = case.as_transport_kwargs(headers=sent)
        prepared = requests.Request(**{k: v for k, v in written.items() if k in _OF_A_REQUEST}).prepare()
        request = request_of(prepared)
        if sign:
            request = probe.authenticate(request, self.recipe)
        try:
            # Through the wire of the suite: no redirect is followed, no proxy, .netrc or decompression comes between.
            answer = probe.ask(request)
        except NoAnswerError:
            return None
        if conforms:
            self._conform(case, prepared, answer)
        return answer

    def _conform(self, case: Any, prepared: requests.PreparedRequest, answer: Answer) -> None:
        headers: dict[str, list[str]] = {}
        for name, value in answer.response.headers:
            headers.setdefault(name, []).append(value)
        got = FuzzedResponse(
            status_code=answer.response.status,
            headers=headers,
            content=answer.response.body,
            request=prepared,
            elapsed=0.0,
            verify=True,
        )
        # An empty 200 of DLI is a choice that the vendor leaves open; schemathesis knows only the documented body.
        empty = self.family == "dli" and answer.response.status == 200 and not answer.response.body
        for name, check in zip(CHECK_NAMES, self.checks, strict=True):
            if empty and name in {"content_type_conformance", "response_schema_conformance"}:
                continue
            try:
                case.validate_response(got, checks=[check])
            except FailureGroup as group:
                for failure in group.exceptions:
                    received = str(getattr(failure, "message", failure)).strip()
                    flaw = _flaw(name, failure, received, answer)
                    self.probe.violate(
                        self._requirement_of(name, flaw, answer),
                        f"a response as documented ({name})",
                        cut(received) or answer.summary,
                        Exchange(answer.request, answer.response),
                    )

    def _requirement_of(self, check: str, flaw: str, answer: Answer) -> str:
        """Name the requirement that a failed check of schemathesis shows to be broken."""
        by_check = {"not_a_server_error": "no-server-fault", "status_code_conformance": "status-documented"}
        if check in by_check:
            return by_check[check]
        if self.family == "ci":
            if check == "response_headers_conformance":
                named = (rule for header, rule in _CI_HEADERS.items() if header in flaw.lower())
                return next(named, "ci-request-id")
            return "ci-success-is-empty" if answer.response.status == 200 else "ci-error-is-xml"
        if answer.response.status == 200:
            return "dli-success-is-json"
        return "dli-gateway-request-id" if "request_id" in flaw else "dli-error-is-json"

    def _expect(self, requirement: str, held: bool, expected: str, answer: Answer) -> None:
        self.probe.hold(requirement)
        if not held:
            exchange = Exchange(answer.request, answer.response)
            self.probe.violate(requirement, expected, answer.summary, exchange)

    def _state_is(
        self, job: Job, answer: Answer, *, cancelled: bool, requirement: str = "refusal-changes-nothing"
    ) -> None:
        operation, target = self.probe.operation, self.probe.target
        if cancelled and not answer.accepted:
            return
        if cancelled:
            requirement = "cancel-takes-effect"
        broken_before = self.probe.session.outcome.violated(requirement, operation.key)
        within = target.settle if cancelled and not broken_before else 0
        after = target.settled_state(operation, job.job_id, self.states.cancelled, within)
        self.probe.hold(requirement)
        if (after == self.states.cancelled) != cancelled:
            expected = f"{'' if cancelled else 'not '}state {self.states.cancelled}"
            exchange = Exchange(answer.request, answer.response)
            self.probe.violate(requirement, expected, f"{answer.summary}, then state {after}", exchange)
