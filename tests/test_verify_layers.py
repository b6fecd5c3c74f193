"""Races, model and fuzz: each finds a planted fault, repeats itself for one seed, and ends when the target does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
import requests
from fake_target import PROJECT, FakeTarget, Reply, Script, Seen, json_reply, refusal

from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue
from calloff.mock.server import run_embedded
from calloff.verify.engine import LAYERS, Layer, Run, checks, run_check
from calloff.verify.escape import Escape
from calloff.verify.fuzz import KINDS, fuzz, requirements
from calloff.verify.fuzz_cases import request_of
from calloff.verify.outcome import Outcome, Violation
from calloff.verify.provider_states import announced_targets
from calloff.verify.target import CannotSupplyError, Keys, TargetError
from calloff.verify.wire import NoAnswerError, Request, Response, TargetLostError, Wire

SQL, BATCH, INVENTORY = (
    "otc-dli/cancelSqlJob",
    "otc-dli/cancelBatchJob",
    "tencent-ci/cancelInventoryTriggerJob",
)
KEYS = tuple(OPERATIONS)


def once_examined(script: Script) -> Script:
    """Answer the examination as the good server does, and what comes after it as *script* says."""
    return lambda fake, request: (
        None if "/preflight/" in request.header("User-Agent") else script(fake, request)
    )


def found(script: Script | None, layer: Layer, key: str = SQL, **options: Any) -> Outcome:
    with FakeTarget(api=OPERATIONS[key].api, script=script and once_examined(script)) as fake:
        run = Run(load_catalogue(), operations=[key], layers=[layer])
        run.verify([fake.target(**options)])
    assert not run.stopped
    return run.outcomes[OPERATIONS[key].api]


def broken(outcome: Outcome) -> set[str]:
    return {violation.requirement for violation in outcome.violations}


def after(change: Callable[[FakeTarget, Seen, Reply], Reply | None]) -> Script:
    """Answer as the good server does, then bend the answer."""

    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        reply = fake.good(request)
        return change(fake, request, reply) or reply

    return script


def forget(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    job = fake.job_of(request)
    if reply.status == 200 and job is not None:
        job.state = "RUNNING"
    return None


def cancel_neighbours(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    if reply.status == 200:
        for job in fake.jobs.values():
            fake.cancel(job)
    return None


def accept_everything(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    job = fake.job_of(request)
    return fake.accepted(job) if job is not None and reply.status == 400 else None


def refuse_everything(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    return refusal(400, "DLI.0007")


def fault(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    return Reply(500) if reply.status == 400 else None


def give_html(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    return Reply(reply.status, b"<html>", (("Content-Type", "text/html"),))


def accept_unknown(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    if fake.job_of(request) is None and reply.status == 400:
        return json_reply(200, {"is_success": True, "message": ""})
    return None


def never_check(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    job = fake.job_of(request)
    if job is None or reply.status != 401:
        return None
    fake.cancel(job)
    return fake.accepted(job)


def ignore_method(fake: FakeTarget, request: Seen, reply: Reply) -> Reply | None:
    job = fake.job_of(request)
    if job is None or request.method == "DELETE":
        return None
    fake.cancel(job)
    return fake.accepted(job)


PLANTED = [
    ("races", forget, {"cancel-takes-effect", "concurrent-cancels-agree"}),
    ("races", refuse_everything, {"cancel-accepted", "concurrent-cancels-agree"}),
    ("races", accept_everything, {"dli-second-cancel-refused"}),
    ("races", fault, {"concurrent-cancels-agree", "no-server-fault"}),
    ("fuzz", forget, {"cancel-takes-effect"}),
    ("fuzz", refuse_everything, {"cancel-accepted", "dli-auth-missing"}),
    ("fuzz", accept_everything, {"dli-final-refused", "dli-second-cancel-refused"}),
    ("fuzz", accept_unknown, {"unknown-job-refused", "malformed-id-refused"}),
    ("fuzz", never_check, {"dli-auth-missing", "dli-auth-token-garbage"}),
    ("fuzz", ignore_method, {"other-method-cancels-nothing"}),
    ("fuzz", fault, {"no-server-fault"}),
    ("fuzz", give_html, {"dli-error-is-json", "dli-success-is-json"}),
]


@pytest.mark.parametrize(("layer", "change", "blamed"), PLANTED)
def test_a_planted_fault_is_found(layer: Layer, change: object, blamed: set[str]) -> None:
    assert blamed <= broken(found(after(change), layer))  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", ["races", "fuzz"])
@pytest.mark.parametrize("key", [SQL, BATCH])
def test_the_good_server_is_not_blamed(layer: Layer, key: str) -> None:
    outcome = found(None, layer, key)

    assert broken(outcome) == set()
    assert outcome.accepted > 0


def test_the_shortest_walk_is_told() -> None:
    with run_embedded(["otc-dli"], mutant="bystanders-cancelled") as server:
        run = Run(load_catalogue(), operations=[SQL], layers=["model"])
        run.verify(announced_targets(server.announcement))
    (violation,) = run.outcomes["otc-dli"].violations

    assert violation.requirement == "bystander-untouched"
    assert re.fullmatch("a job in [A-Z]+ as it was", violation.expected)
    assert violation.exchange is not None


MUTANTS = [
    ("otc-dli", SQL, "model", "cancel-forgotten", "cancel-takes-effect"),
    ("otc-dli", SQL, "model", "refusal-cancels", "refusal-changes-nothing"),
    ("otc-dli", SQL, "model", "unknown-job-accepted", "unknown-job-refused"),
    ("tencent-ci", INVENTORY, "model", "waiting-job-refused", "cancel-accepted"),
    ("tencent-ci", INVENTORY, "races", "cancel-forgotten", "cancel-takes-effect"),
    ("tencent-ci", INVENTORY, "model", "batch-job-ended-cancelled", "ci-final-refused"),
    ("tencent-ci", "tencent-ci/cancelAiJob", "fuzz", "ci-request-id-missing", "ci-request-id"),
    ("tencent-ci", "tencent-ci/cancelAiJob", "fuzz", "ci-server-header-wrong", "ci-server-header"),
    ("tencent-ci", "tencent-ci/cancelAiJob", "fuzz", "ci-cancel-not-needed", "ci-cancel-only-with-parameter"),
    ("huaweicloud-dli", "huaweicloud-dli/cancelSqlJob", "model", "dli-ended-accepted", "dli-final-refused"),
]


@pytest.mark.parametrize(("api", "key", "layer", "mutant", "requirement"), MUTANTS)
def test_a_mutant_of_the_mock_is_found(
    api: str, key: str, layer: Layer, mutant: str, requirement: str
) -> None:
    with run_embedded([api], mutant=mutant) as server:
        run = Run(load_catalogue(), operations=[key], layers=[layer])
        run.verify(announced_targets(server.announcement, settle=0.05))

    assert requirement in broken(run.outcomes[api])


def requests_of(layer: Layer, seed: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what was asked of the mock, without ids that are made at random."""
    sent: list[str] = []
    send = Wire.send

    def recording(wire: Wire, request: Request) -> Response:
        target = re.sub("[0-9a-f]{8}-[0-9a-f-]{27}", "ID", request.target)
        names = sorted(name.lower() for name, _ in request.headers)
        sent.append(f"{request.method} {target} {names} {request.body!r}")
        return send(wire, request)

    with monkeypatch.context() as patched, run_embedded(["otc-dli"]) as server:
        patched.setattr(Wire, "send", recording)
        run = Run(load_catalogue(), seed=seed, operations=[SQL], layers=[layer])
        run.verify(announced_targets(server.announcement))
    return sent


@pytest.mark.parametrize("layer", ["model", "fuzz"])
def test_one_seed_gives_one_sequence_of_requests(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = requests_of(layer, 7, monkeypatch)

    assert requests_of(layer, 7, monkeypatch) == first
    assert requests_of(layer, 8, monkeypatch) != first


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("wrong", ["jobs", "state"])
def test_provider_states_that_break_end_every_layer_as_what_they_are(layer: Layer, wrong: str) -> None:
    calls = 0

    class Breaking(FakeTarget):
        def _provide(self, request: Seen) -> Reply:
            nonlocal calls
            asked = request.method == ("POST" if wrong == "jobs" else "GET") and "/jobs" in request.path
            calls += asked
            return Reply(500) if asked and calls > 1 else super()._provide(request)

    with Breaking() as fake:
        run = Run(load_catalogue(), operations=[SQL], layers=[layer])
        status = run.verify([fake.target()])

    assert status == 3
    assert run.stopped.startswith("the provider states cannot be used: ")
    assert re.search(r"; \d+ of \d+ checks were run$", run.stopped)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_server_that_goes_away_ends_every_layer(layer: Layer) -> None:
    fake = FakeTarget()

    def vanish(_: FakeTarget, request: Seen) -> Reply | None:
        if sum("/preflight/" not in seen.header("User-Agent") for seen in fake.seen) < 6:
            return None
        fake._server.socket.close()
        return Reply(0, raw=b"")

    fake.script = once_examined(vanish)
    with fake:
        run = Run(load_catalogue(), operations=[SQL], layers=[layer])
        target = fake.target(timeout=1.0)
        status = run.verify([target])

    assert status == 3
    assert run.stopped.startswith("the target was lost: no connection to ")


@pytest.mark.parametrize("layer", LAYERS)
def test_ctrl_c_ends_every_layer(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0
    send = Wire.send

    def interrupted(wire: Wire, request: Request) -> Response:
        nonlocal sent
        sent += 1
        if sent > 12:
            raise KeyboardInterrupt
        return send(wire, request)

    with FakeTarget() as fake, monkeypatch.context() as patched:
        patched.setattr(Wire, "send", interrupted)
        run = Run(load_catalogue(), operations=[SQL], layers=[layer])
        assert run.verify([fake.target()]) == 3

    assert run.stopped.startswith("interrupted; ")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_server_that_closes_on_everything_is_a_violation_and_no_end(layer: Layer) -> None:
    outcome = found(lambda *_: Reply(0, raw=b""), layer)

    assert "no-server-fault" in broken(outcome)
    assert outcome.accepted == 0


@pytest.mark.parametrize("layer", ["races", "model", "fuzz"])
def test_a_layer_that_cannot_have_jobs_is_skipped_with_the_reason(layer: Layer) -> None:
    outcome = found(None, layer, states=False)

    assert broken(outcome) == set()
    assert outcome.skips
    assert {skip.reason.partition(",")[0] for skip in outcome.skips} == {"no provider states given"}


def test_a_walk_without_any_credential_is_skipped_with_the_reason() -> None:
    with FakeTarget(provided={"POST /credentials": json_reply(501, {})}) as fake:
        session = fake.session(keys=Keys(project_id=PROJECT))
        (check,) = checks(OPERATIONS[SQL], ["model"])
        outcome = run_check(check, session)
        session.target.close()

    assert "no credential that should be accepted" in outcome.skips[0].reason


HOSTILE_BODIES = [
    b"",
    b"<",
    b"<Error/>",
    b"<Response/>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><Error>&b;</Error>",
    b'<?xml version="1.0" encoding="no-such-one"?><Error/>',
    b"<a>" * 50_000,
    b"[" * 50_000,
    b'{"error_code": "\\ud800", "error_msg": "\\u0000"}',
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("body", HOSTILE_BODIES, ids=lambda body: repr(body[:12]))
@pytest.mark.parametrize("kind", ["application/xml", "application/json", "text/event-stream", "a\xa0b"])
@pytest.mark.parametrize("api", ["tencent-ci", "otc-dli"])
def test_no_body_breaks_the_fuzz_layer(body: bytes, kind: str, api: str) -> None:
    headers = (("Content-Type", kind), ("Content-Encoding", "gzip"), ("x-ci-request-id", "\xa0"))
    key = SQL if api == "otc-dli" else "tencent-ci/cancelAiJob"
    with FakeTarget(api=api, script=lambda *_: Reply(400, body, headers)) as fake:  # type: ignore[arg-type]
        session = fake.session()
        for each in KINDS:
            fuzz(session.probe(OPERATIONS[key], "fuzz", each), kind=each, seed=0, count=2)
        session.target.close()

    assert {"dli-error-is-json", "ci-error-is-xml"} & broken(session.outcome) or b"error_code" in body


def test_a_prepared_request_is_read_as_it_is_sent() -> None:
    prepared = requests.Request(
        "POST", "http://h:1/a%2Fb?cancel", headers={"X-A": b"1"}, data="text"
    ).prepare()
    request = request_of(prepared)

    assert (request.method, request.target, request.body) == ("POST", "/a%2Fb?cancel", b"text")
    assert (request.header("Host"), request.header("X-A")) == ("h:1", "1")


ENDS = [
    CannotSupplyError("a"),
    NoAnswerError("b"),
    TargetError("c"),
    TargetLostError("d"),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("cleaning_up_fails", [False, True])
def test_what_ends_a_check_passes_through_what_catches_exceptions(
    error: BaseException, cleaning_up_fails: bool
) -> None:
    escape = Escape()

    def check() -> None:
        with escape.inside():
            raise error

    def hypothesis() -> None:
        try:
            check()
        except Exception:  # noqa: BLE001, S110 - as hypothesis does
            pass
        finally:
            if cleaning_up_fails:
                raise ValueError

    with pytest.raises(type(error)) as caught, escape.around():
        hypothesis()

    assert caught.value is error


def test_what_does_not_end_a_check_stays_what_it_is() -> None:
    escape = Escape()
    with pytest.raises(ValueError, match="of a test"), escape.around(), escape.inside():
        raise ValueError("of a test")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_fuzz_can_show_binds_its_operation(key: str, kind: str) -> None:
    catalogue = load_catalogue().requirements

    assert [name for name in requirements(key, kind) if not catalogue[name].applies_to(key)] == []


# ------------------------------------------------------------------ engine


def test_progress_counts_every_check_once() -> None:
    told: list[tuple[str, int, int]] = []
    with FakeTarget() as fake:
        run = Run(load_catalogue(), layers=["races"])
        run.verify(
            [fake.target()], lambda check, done, total: told.append((check.operation.name, done, total))
        )

    names = ["cancelBatchJob"] * 4 + ["cancelSqlJob"] * 4
    assert told == [(name, done, 8) for done, name in enumerate(names)]
    assert run.outcomes["otc-dli"].checks_run == 8


def test_a_fault_of_the_suite_is_told_and_gives_3(caplog: pytest.LogCaptureFixture) -> None:
    def surprise(*_: object) -> None:
        raise ZeroDivisionError("what a surprise")

    with FakeTarget() as fake:
        run = Run(load_catalogue(), layers=["races"])
        assert run.verify([fake.target()], surprise) == 3

    assert (
        run.stopped == "the suite itself failed: ZeroDivisionError: what a surprise; 0 of 8 checks were run"
    )
    assert "please report it" in caplog.text


def test_checks_come_in_the_order_of_the_layers() -> None:
    layers = [check.layer for check in checks(OPERATIONS[SQL], ["fuzz", "table", "model", "races"])]

    assert list(dict.fromkeys(layers)) == ["table", "races", "model", "fuzz"]


@pytest.mark.parametrize("key", KEYS)
def test_no_two_checks_have_one_name(key: str) -> None:
    names = [(check.layer, check.name) for check in checks(OPERATIONS[key])]

    assert len(names) == len(set(names))


def test_what_a_target_cannot_supply_is_a_skip_of_everything_that_the_check_proves() -> None:
    with FakeTarget(provided={"POST /jobs": json_reply(501, {"error": "none left"})}) as fake:
        session = fake.session()
        check = next(c for c in checks(OPERATIONS[SQL], ["table"]) if "/job-" in c.name)
        run_check(check, session)
        session.target.close()

    assert {skip.requirement for skip in session.outcome.skips} == set(check.requirements)
    assert "none left" in session.outcome.skips[0].reason


def test_a_wrong_request_that_names_a_well_formed_id_is_not_told_as_a_malformed_one() -> None:
    pattern = re.compile(OPERATIONS[INVENTORY].patterns[OPERATIONS[INVENTORY].job_parameter])

    with FakeTarget(api="tencent-ci", script=lambda fake, request: Reply(200)) as fake:
        session = fake.session()
        for check in checks(OPERATIONS[INVENTORY], ["fuzz"]):
            run_check(check, session)
        session.target.close()
    outcome = session.outcome
    told = {
        (violation.requirement, bool(pattern.fullmatch(unquote(path_of(violation).rpartition("/")[2]))))
        for violation in outcome.violations
        if violation.case.startswith("negative")
        and violation.requirement in {"malformed-id-refused", "unknown-job-refused"}
    }

    assert ("malformed-id-refused", False) in told
    assert ("unknown-job-refused", True) in told
    assert len(told) == 2


def path_of(violation: Violation) -> str:
    assert violation.exchange is not None
    return violation.exchange.request.target.partition("?")[0]


def test_the_walk_holds_only_what_it_met() -> None:
    outcome = found(lambda fake, request: refusal(404, "APIGW.0101"), "model")

    assert outcome.verdict("cancel-takes-effect", SQL) == "not run"
    assert outcome.violations
    assert outcome.verdict("cancel-accepted", SQL) != "held"
