"""The decision table: what it covers, and that each kind of wrong server is blamed for what it does."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from random import Random

import pytest
from fake_target import PROJECT, FakeJob, FakeTarget, Reply, Script, Seen, json_reply, refusal

from calloff.apis import OPERATIONS, Operation
from calloff.contract import load_catalogue
from calloff.verify.cells import HARMLESS, REFUSE, Cell, cells
from calloff.verify.engine import Run, checks, run_check
from calloff.verify.outcome import Outcome
from calloff.verify.recipes import RECIPES
from calloff.verify.shapes import (
    JOB_STATES,
    SHAPES,
    malformations,
    malformed_id,
    request_for,
    unknown_id,
)
from calloff.verify.target import Keys

SQL, BATCH, AI = "otc-dli/cancelSqlJob", "otc-dli/cancelBatchJob", "tencent-ci/cancelAiJob"


def table(key: str) -> list[Cell]:
    return list(cells(OPERATIONS[key]))


@pytest.mark.parametrize("key", OPERATIONS)
def test_every_way_to_authenticate_meets_every_state_that_matters_to_it(key: str) -> None:
    states = JOB_STATES[key]
    met: dict[str, set[str]] = {}
    for cell in table(key):
        if cell.recipe is not None:
            met.setdefault(cell.recipe.name, set()).add(cell.subject.state or cell.subject.kind)
    for recipe in RECIPES[OPERATIONS[key].api]:
        if recipe.accepted:
            assert met[recipe.name] == {*states.cancellable, *states.final}
        elif recipe.accepted is False:
            assert met[recipe.name] == {states.cancellable[0], states.final[-1], "unknown"}
        else:
            assert met[recipe.name] <= set(states.cancellable)
            assert met[recipe.name]


@pytest.mark.parametrize("key", OPERATIONS)
def test_every_shape_of_the_api_meets_a_job_that_can_be_cancelled_and_one_that_cannot(key: str) -> None:
    states, api = JOB_STATES[key], OPERATIONS[key].api
    for shape in SHAPES:
        met = {cell.subject.state for cell in table(key) if cell.shape is shape}
        assert met == ({states.cancellable[-1], states.final[0]} if api in shape.apis else set()), shape.name


@pytest.mark.parametrize("key", OPERATIONS)
def test_every_subject_is_named(key: str) -> None:
    states = JOB_STATES[key]
    subjects = {(cell.subject.kind, cell.subject.state) for cell in table(key)}

    assert {("malformed", problem) for problem in malformations(OPERATIONS[key])} <= subjects
    assert {("unknown", ""), ("foreign", states.cancellable[0]), ("foreign id", states.final[0])} <= subjects
    assert {
        ("job", state) for state in (*states.cancellable, *states.final, *states.silent, states.cancelled)
    } <= subjects


@pytest.mark.parametrize("key", OPERATIONS)
def test_an_ended_job_is_never_expected_to_be_cancelled(key: str) -> None:
    for cell in table(key):
        if cell.subject.state in JOB_STATES[key].final:
            assert cell.expects in {REFUSE, HARMLESS}, cell.name


@pytest.mark.parametrize("key", OPERATIONS)
def test_a_malformed_id_breaks_the_pattern_of_the_document_and_an_unknown_one_keeps_it(key: str) -> None:
    operation = OPERATIONS[key]
    pattern = operation.patterns[operation.job_parameter]

    random = Random(0)  # noqa: S311 - repeatable, no secret
    assert re.fullmatch(pattern, unknown_id(operation, random))
    assert unknown_id(operation, random) != unknown_id(operation, random)
    for problem in malformations(operation):
        assert not re.fullmatch(pattern, malformed_id(operation, problem, random)), problem


@pytest.mark.parametrize("key", OPERATIONS)
def test_a_malformed_id_stays_within_its_segment(key: str) -> None:
    operation = OPERATIONS[key]
    for problem in malformations(operation):
        value = malformed_id(operation, problem, Random(0))  # noqa: S311 - repeatable, no secret
        parameters = dict.fromkeys(operation.patterns, PROJECT) | {operation.job_parameter: value}
        target = request_for(operation, parameters, host="h", case="c", prefix="/p").target
        assert target.isascii()
        assert target.count("/") == operation.path.count("/") + 1
        assert not any(mark in target for mark in " \0\r\n#")


def blamed(script: Script | None, key: str = SQL, **options: object) -> Outcome:
    with FakeTarget(api=OPERATIONS[key].api, script=script) as fake:
        session = fake.session(**options)
        for check in checks(OPERATIONS[key], ["table"]):
            run_check(check, session)
        session.target.close()
    return session.outcome


def requirements(outcome: Outcome, cases: str = "") -> set[str]:
    return {v.requirement for v in outcome.violations if cases in v.case}


# What the good answers of the scripted server, which checks no signature, are rightly blamed for.
UNCHECKED = {r.requirement for r in RECIPES["otc-dli"] if not r.accepted and r.credentials != "none"}


def is_right(request: Seen) -> bool:
    """Tell whether the request has the credential that the suite uses where nothing is wrong with it."""
    return (
        "job-" in request.header("User-Agent")
        and request.header("User-Agent").count("/table/default-credential") > 0
    )


def test_a_server_that_accepts_and_never_settles() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        states = JOB_STATES[SQL].cancellable
        return (
            fake.accepted(job)
            if is_right(request) and job and job.state in states and request.method == "DELETE"
            else None
        )

    outcome = blamed(script)

    assert "cancel-takes-effect" in requirements(outcome, "default-credential")
    assert "bystander-untouched" not in requirements(outcome)


def test_a_server_that_settles_later_is_waited_for() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        if (
            is_right(request)
            and job
            and job.owner == "self"
            and job.state == "RUNNING"
            and request.method == "DELETE"
        ):
            threading.Timer(0.1, fake.cancel, [job]).start()
            return fake.accepted(job)
        return None

    assert "cancel-takes-effect" not in requirements(blamed(script, settle=5.0))


def test_a_server_that_cancels_what_it_refuses() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        if job is None or job.state not in JOB_STATES[SQL].final:
            return None
        fake.cancel(job)
        return refusal(400, "DLI.0007")

    outcome = blamed(script)

    assert "refusal-changes-nothing" in requirements(outcome, "default-credential")
    assert "dli-final-refused" not in requirements(outcome, "default-credential")


def others(fake: FakeTarget, job: FakeJob, owner: str, operation: str) -> Iterable[FakeJob]:
    return [j for j in fake.jobs.values() if j is not job and j.owner == owner and j.operation == operation]


@pytest.mark.parametrize(
    ("owner", "operation"), [("self", "cancelSqlJob"), ("other", "cancelSqlJob"), ("self", "cancelBatchJob")]
)
def test_a_server_that_cancels_a_bystander(owner: str, operation: str) -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        reply, job = fake.good(request), fake.job_of(request)
        if reply.status == 200 and job is not None:
            for other in others(fake, job, owner, operation):
                fake.cancel(other)
        return reply

    outcome = blamed(script)
    groups = {v.expected for v in outcome.violations if v.requirement == "bystander-untouched"}

    assert groups == {"another job as it was"}


def test_a_server_that_reaches_foreign_jobs() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        if job is None or job.owner == "self" or request.method != "DELETE" or job.state != "LAUNCHING":
            return None
        fake.cancel(job)
        return fake.accepted(job)

    outcome = blamed(script)

    assert "dli-project-isolation" in requirements(outcome, "/foreign-LAUNCHING")
    assert "dli-project-isolation" in requirements(outcome, "/foreign-id-LAUNCHING")


def test_a_server_whose_flag_says_the_opposite() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        reply = fake.good(request)
        return json_reply(200, {"is_success": False, "message": "no"}) if reply.status == 200 else None

    outcome = blamed(script)

    assert "dli-sql-success-flag" in requirements(outcome)
    assert outcome.accepted == 0


def test_a_refusal_in_a_200_is_a_refusal() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        ended = (
            job is not None
            and job.state in JOB_STATES[SQL].final
            and job.owner == "self"
            and PROJECT in request.path
        )
        return (
            json_reply(200, {"is_success": False, "message": "it has ended"})
            if ended and is_right(request) and request.method == "DELETE"
            else None
        )

    outcome = blamed(script)

    assert "dli-final-refused" not in requirements(outcome, "default-credential")


def test_a_server_that_accepts_jobs_that_were_never_given_out() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        if fake.job_of(request) or fake.good(request).status in {401, 404}:
            return None
        return json_reply(200, {"is_success": True, "message": ""})

    found = requirements(blamed(script), "default-credential")

    assert {"unknown-job-refused", "malformed-id-refused"} <= found


def test_a_wrong_code_for_an_unknown_path_is_seen() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        return refusal(404, "APIGW.0105") if request.path.endswith("/") else None

    found = [v for v in blamed(script).violations if v.requirement == "dli-unknown-path"]

    assert {v.expected for v in found} == {"error_code ending in 0101"}


def test_a_server_that_checks_no_credential_is_blamed_by_every_requirement_on_credentials() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        if job is None or job.owner != "self" or request.method != "DELETE":
            return refusal(400, "DLI.0023")
        if job.state in JOB_STATES[SQL].final:
            return refusal(400, "DLI.0007")
        fake.cancel(job)
        return fake.accepted(job)

    found = requirements(blamed(script))
    wanted = {
        r.requirement
        for r in RECIPES["otc-dli"]
        if r.accepted is False and r.credentials in {"none", "good", "token", "temporary"}
    }

    assert wanted <= found


def test_the_good_server_of_this_file_is_blamed_only_for_what_it_does_not_check() -> None:
    outcome = blamed(None)
    found = {r for r in requirements(outcome) if r.startswith("dli-auth")}

    assert requirements(outcome) <= UNCHECKED
    assert found


def test_without_a_project_a_subject_of_our_own_cannot_be_written() -> None:
    outcome = blamed(None, keys=Keys(token="planted-token/of+the=suite"))

    assert any("no project id given" in skip.reason for skip in outcome.skips)


def test_a_server_that_gives_html_everywhere_is_blamed_for_the_form() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        return Reply(404, b"<html>", (("Content-Type", "text/html"),))

    found = requirements(blamed(script))

    assert {"dli-error-is-json", "cancel-accepted"} <= found


def test_a_run_against_two_silent_halves_of_a_server_keeps_what_was_found() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        return Reply(0, raw=b"") if "/method-" in request.header("User-Agent") else None

    outcome = blamed(script)
    silent = [v for v in outcome.violations if v.exchange and v.exchange.response is None]

    assert silent
    assert {v.requirement for v in silent} == {"no-server-fault"}


def test_operations_that_are_not_chosen_are_not_run() -> None:
    with FakeTarget() as fake:
        run = Run(load_catalogue(), layers=["races"], operations=[BATCH])
        run.verify([fake.target()])

    assert {operation for _, operation in run.outcomes["otc-dli"].exercised} == {BATCH}


@pytest.mark.parametrize("point", [cell.point for cell in table(AI) if cell.point])
def test_every_point_that_a_cell_shows_is_in_the_table_of_silent_points(point: str) -> None:
    assert point in load_catalogue().silent_points


def test_what_a_cell_proves_includes_what_it_must_leave_alone() -> None:
    (cell,) = [c for c in table(SQL) if c.name == "default-credential/foreign-LAUNCHING/as-documented"]

    assert cell.requirements == ("dli-project-isolation", "refusal-changes-nothing", "dli-sql-success-flag")
    assert cell.forbids_effect


def cut_short(reply: Reply, length: int) -> Reply:
    """Let an answer announce *length* bytes more than it has, and close the connection."""
    head, mark, body = reply.to_bytes().partition(b"\r\n\r\n")
    told = head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % (len(body) + length))
    return Reply(0, raw=told + mark + body)


def test_an_answer_that_is_cut_short_is_no_fault_of_the_server_but_one_of_framing() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply:
        reply = fake.good(request)
        return cut_short(reply, 10) if reply.status == 401 else reply

    outcome = blamed(script)
    found = outcome.violated("answer-is-framed", SQL)

    assert "no-server-fault" not in requirements(outcome)
    assert re.fullmatch(
        r"401 with (\d+) bytes of the \d+ that Content-Length announces, then .*", found[0].received
    )
    assert found[0].exchange is not None
    assert found[0].exchange.response is not None
    assert b"error_code" in found[0].exchange.response.body


def test_successes_that_are_cut_short_count_as_accepted_and_as_violations() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply:
        reply = fake.good(request)
        return cut_short(reply, 10) if reply.status == 200 else reply

    with FakeTarget(script=script) as fake:
        run = Run(load_catalogue(), operations=[SQL], layers=["races"])
        assert run.verify([fake.target()]) == 1

    assert not run.stopped
    assert requirements(run.outcomes["otc-dli"]) == {"answer-is-framed"}


def by_signature(request: Seen) -> bool:
    return bool(request.header("Authorization"))


def test_a_way_to_authenticate_that_is_not_found_is_not_accepted() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        return refusal(404, "APIGW.0101") if by_signature(request) else None

    outcome = blamed(script)

    assert outcome.verdict("dli-auth-signature", SQL) == "violated"
    assert outcome.verdict("dli-auth-token", SQL) == "held"
    assert "cancel-accepted" not in requirements(outcome, "signature over host and date")


def test_where_nothing_is_accepted_no_way_to_authenticate_is_judged() -> None:
    outcome = blamed(lambda fake, request: refusal(404, "APIGW.0101"))

    assert outcome.verdict("cancel-accepted", SQL) == "violated"
    for requirement in ("dli-auth-signature", "dli-auth-token", "cancel-takes-effect"):
        assert outcome.verdict(requirement, SQL) in {"skipped", "not run"}, requirement


def test_a_job_that_is_refused_in_one_state_says_nothing_about_the_ways_to_authenticate() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        return refusal(400, "DLI.0007") if job is not None and job.state == "RUNNING" else None

    blame = requirements(blamed(script), "job-RUNNING/as-documented")

    assert "cancel-accepted" in blame
    assert not {"dli-auth-signature", "dli-auth-token"} & blame


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_a_job_in_anothers_bucket_may_be_refused_in_any_way(status: int) -> None:
    (cell,) = [
        cell
        for cell in table(AI)
        if cell.credential == "key of another owner" and cell.subject.kind == "unknown"
    ]

    assert cell.requirement == "ci-bucket-isolation"
    assert status in cell.statuses


@pytest.mark.parametrize("state", ["LAUNCHING", "RUNNING", "SCALING"])
@pytest.mark.parametrize("refused", [False, True], ids=["accepting", "refusing"])
def test_a_bystander_in_any_state_that_is_cancelled_is_seen(state: str, refused: bool) -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply:
        reply, job = fake.good(request), fake.job_of(request)
        if (reply.status != 200) == refused:
            for other in fake.jobs.values():
                if other is not job and other.state == state:
                    fake.cancel(other)
        return reply

    assert "bystander-untouched" in requirements(blamed(script))


def test_a_server_that_forgets_is_waited_for_once() -> None:
    waited: list[float] = []

    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        return (
            fake.accepted(job)
            if job is not None and fake.good(request).status == 200 and forget(job)
            else None
        )

    def forget(job: FakeJob) -> bool:
        job.state = "RUNNING"
        return True

    with FakeTarget(script=script) as fake:
        session = fake.session()
        settled = session.target.settled_state

        def noted(operation: Operation, job_id: str, wanted: str, within: float) -> str:
            waited.append(within)
            return settled(operation, job_id, wanted, within)

        session.target.settled_state = noted  # type: ignore[method-assign]
        for check in checks(OPERATIONS[SQL]):
            run_check(check, session)
        session.target.close()

    assert waited.count(0) > 10
    assert [seconds for seconds in waited if seconds] == [0.05]
