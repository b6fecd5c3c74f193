"""States read back by the vendors' own calls, where jobs come from a file: what they show, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fake_target import FakeTarget

from calloff.apis import APIS, OPERATIONS
from calloff.contract import load_catalogue
from calloff.mock.dialects import Dialect
from calloff.mock.disturbances import Disturbance
from calloff.mock.server import MockServer, run_embedded
from calloff.verify.engine import Run
from calloff.verify.jobs_file import JobsFile
from calloff.verify.judge import Answer, Document
from calloff.verify.preflight import examine
from calloff.verify.provider_states import announced_targets
from calloff.verify.shapes import JOB_STATES
from calloff.verify.status_call import told_state
from calloff.verify.target import CannotSupplyError, Job, Target
from calloff.verify.wire import Request, Response

AI, BATCH, SQL = "tencent-ci/cancelAiJob", "otc-dli/cancelBatchJob", "otc-dli/cancelSqlJob"
CATALOGUE = load_catalogue()
JOB = Job("j-1", {})


def answer(key: str, body: str, status: int = 200) -> Answer:
    operation = OPERATIONS[key]
    request = Request("GET", "/", (("Host", "h"),))
    return Answer(Document(APIS[operation.api]), operation, request, Response(status, (), body.encode()))


@pytest.mark.parametrize(
    ("key", "body", "state"),
    [
        (SQL, '{"is_success": true, "job_id": "j-1", "status": "RUNNING"}', "RUNNING"),
        (SQL, '{"status": "CANCELLED"}', "CANCELLED"),
        (SQL, '{"status": "FINISH"}', "FINISH"),
        (BATCH, '{"id": "J-1", "state": "Success"}', "success"),
        (
            AI,
            "<Response><JobsDetail><JobId>j-1</JobId><State>Cancel</State></JobsDetail></Response>",
            "Cancel",
        ),
    ],
)
def test_a_state_is_read_from_the_documented_member(key: str, body: str, state: str) -> None:
    assert told_state(answer(key, body), JOB) == state


@pytest.mark.parametrize(
    ("key", "status", "body", "reason"),
    [
        (SQL, 404, json.dumps({"error_code": "APIGW.0101"}), "getSqlJobStatus was answered 404 APIGW.0101"),
        (SQL, 500, '{"error_code": "<b>no code</b>"}', "getSqlJobStatus was answered 500"),
        (SQL, 200, '{"is_success": false, "status": "RUNNING"}', "is_success false"),
        (SQL, 200, '{"job_id": "j-1"}', "without the text status"),
        (SQL, 200, '{"status": 7}', "without the text status"),
        (SQL, 200, "[" * 100_000, "without the text status"),
        (SQL, 200, '{"job_id": "j-2", "status": "RUNNING"}', "about another job"),
        (BATCH, 200, "", "without the text state"),
        (AI, 200, "<Response><NonExistJobIds>j-1</NonExistJobIds></Response>", "without the text State"),
        (AI, 200, "<Response><JobsDetail>", "without the text State"),
        (AI, 200, '<!DOCTYPE a [<!ENTITY e "e">]><Response>&e;</Response>', "without the text State"),
    ],
)
def test_anything_else_tells_no_state(key: str, status: int, body: str, reason: str) -> None:
    with pytest.raises(CannotSupplyError, match=reason):
        told_state(answer(key, body, status), JOB)


@contextmanager
def given(
    key: str,
    *,
    number: int = 40,
    mutant: str | None = None,
    dialect: dict[str, str] | None = None,
    disturbances: tuple[Disturbance, ...] = (),
    other_owner: bool = True,
) -> Iterator[tuple[MockServer, Target]]:
    """Serve an API, and give a target with jobs of one operation as from a file, without provider states.

    Whether there are credentials of the other owner, *other_owner* says.
    """
    operation = OPERATIONS[key]
    states = JOB_STATES[key]
    with run_embedded(
        [operation.api], mutant=mutant, dialect=Dialect(dialect or {}), disturbances=disturbances
    ) as server:
        (supplier,) = announced_targets(server.announcement)
        (target,) = announced_targets(server.announcement)
        jobs = {
            (key, owner, state): tuple(supplier.new_job(operation, state, owner) for _ in range(number))
            for owner in ("self", "other")
            for state in dict.fromkeys((*states.cancellable, *states.final))
        }
        if other_owner:
            kinds = ("other-owner", *(() if operation.api == "tencent-ci" else ("other-owner-token",)))
            target.kinds = {kind: supplier.credentials(kind) for kind in kinds}
        supplier.close()
        assert target.states is not None
        target.states.close()
        target.states = JobsFile(jobs)
        server.journal.clear()
        try:
            yield server, target
        finally:
            target.close()


@pytest.mark.parametrize("key", list(OPERATIONS))
def test_a_right_server_is_held_by_its_own_status_call(key: str) -> None:
    with given(key) as (server, target):
        run = Run(CATALOGUE, operations=[key], layers=["table"], budget="quick", live=True)
        listed = run.rehearse([target])
        status = run.verify([target])
        seen = server.journal.entries()

    outcome = run.outcomes[OPERATIONS[key].api]
    assert (status, outcome.violations, run.stopped) == (0, [], "")
    assert outcome.verdict("cancel-takes-effect", key) == "held"
    assert outcome.verdict("refusal-changes-nothing", key) == "held"
    # A batch that was cancelled looks like one that failed.
    assert outcome.verdict("bystander-untouched", key) == ("skipped" if key == BATCH else "held")
    planned = {(request.case_id, request.method, request.url.partition("?")[0]) for request in listed}
    address = f"{target.address.scheme}://{target.address.authority}"
    readings = [entry for entry in seen if entry.operation == OPERATIONS[key].status.name]
    assert readings
    assert {entry.status for entry in readings} == {200}
    assert {
        (entry.case, entry.method, address + entry.target.partition("?")[0]) for entry in readings
    } <= planned
    assert not any(request.cancels for request in listed if request.method == "GET")


@pytest.mark.parametrize(
    ("mutant", "requirement"),
    [
        ("cancel-forgotten", "cancel-takes-effect"),
        ("refusal-cancels", "refusal-changes-nothing"),
        ("bystanders-cancelled", "bystander-untouched"),
    ],
)
def test_a_wrong_server_is_found_by_what_it_tells_itself(mutant: str, requirement: str) -> None:
    with given(SQL, mutant=mutant) as (_, target):
        target.settle = 0.2
        run = Run(CATALOGUE, operations=[SQL], layers=["table"], budget="quick", live=True)
        run.verify([target])

    assert {violation.requirement for violation in run.outcomes["otc-dli"].violations} == {requirement}


def cases_read(server: MockServer, project: str) -> list[str]:
    """Name the cases that the state of a job of *project* was told in."""
    return [
        entry.case
        for entry in server.journal.entries()
        if entry.operation == "getSqlJobStatus" and entry.status == 200 and project in entry.target
    ]


def test_jobs_of_another_owner_are_asked_for_with_their_own_credentials() -> None:
    with given(SQL) as (server, target):
        run = Run(CATALOGUE, operations=[SQL], layers=["table"], budget="quick", live=True)
        run.verify([target])
        read = cases_read(server, server.state.owners["otc-dli"][1])

    assert run.outcomes["otc-dli"].violations == []
    assert {case.split("/")[4].partition("-LAUNCHING")[0] for case in read} >= {
        "foreign",
        "foreign-id",
        "job",
    }


def test_without_those_credentials_that_is_a_skip_with_the_reason() -> None:
    with given(SQL, other_owner=False) as (server, target):
        run = Run(CATALOGUE, operations=[SQL], layers=["table"], budget="quick", live=True)
        run.verify([target])
        read = cases_read(server, server.state.owners["otc-dli"][1])

    assert read == []
    outcome = run.outcomes["otc-dli"]
    reasons = {skip.reason for skip in outcome.skips if skip.requirement == "refusal-changes-nothing"}
    assert any(
        "a job of another owner cannot be asked for: no other-owner-token credentials given" in reason
        for reason in reasons
    )
    assert outcome.verdict("bystander-untouched", SQL) == "held"


@pytest.mark.parametrize("state", ["CANCELLED", "FINISHED"])
def test_given_jobs_that_have_gone_on_meanwhile_blame_nobody(state: str) -> None:
    with given(SQL, number=3) as (server, target):
        for job in server.state.jobs.all(SQL):
            job.put(state)
        run = Run(CATALOGUE, operations=[SQL], layers=["table"], budget="quick", live=True)
        run.verify([target])

    outcome = run.outcomes["otc-dli"]
    assert outcome.violations == []
    assert outcome.verdict("cancel-accepted", SQL) == "skipped"
    assert f"a job given as LAUNCHING was {state} already" in {skip.reason for skip in outcome.skips}


def test_one_that_has_gone_on_is_passed_over_for_one_that_has_not() -> None:
    with given(SQL) as (server, target):
        first, *_ = (job for job in server.state.jobs.all(SQL) if job.state(0) == "LAUNCHING")
        first.put("RUNNING")
        run = Run(CATALOGUE, operations=[SQL], layers=["table"], budget="quick", live=True)
        run.verify([target])

    outcome = run.outcomes["otc-dli"]
    assert outcome.violations == []
    assert not [skip for skip in outcome.skips if "LAUNCHING was RUNNING" in skip.reason]


def test_a_cancel_may_take_its_time() -> None:
    with given(SQL, dialect={"dli-settle": "later"}) as (_, target):
        run = Run(CATALOGUE, operations=[SQL], only=["cancel-takes-effect"], budget="quick", live=True)
        assert run.verify([target]) == 0
    assert run.outcomes["otc-dli"].verdict("cancel-takes-effect", SQL) == "held"


def test_a_state_that_is_not_told_once_is_a_skip_with_that_reason() -> None:
    lost = Disturbance(kind="status", status=503, operations="otc-dli/getSqlJobStatus", probability=0.5)
    with given(SQL, disturbances=(lost,)) as (_, target):
        target.status_calls["cancelSqlJob"] = ""
        run = Run(CATALOGUE, operations=[SQL], layers=["table"], budget="quick", live=True)
        run.verify([target])

    outcome = run.outcomes["otc-dli"]
    assert outcome.violations == []
    reasons = {skip.reason for skip in outcome.skips if skip.requirement == "cancel-takes-effect"}
    assert any("getSqlJobStatus was answered 503" in reason for reason in reasons)


def test_a_server_without_the_call_is_told_as_such_and_asked_once() -> None:
    gone = Disturbance(kind="gateway", status=502, operations="otc-dli/getSqlJobStatus")
    with given(SQL, disturbances=(gone,)) as (server, target):
        found = examine(target)
        asked = [entry for entry in server.journal.entries() if entry.method == "GET"]

    assert found.problem == ""
    assert not target.asks_state(OPERATIONS[SQL])
    assert "  states, cancelSqlJob: not read back, getSqlJobStatus was answered 502" in found.lines()
    assert [entry.case for entry in asked] == [f"{SQL}/preflight/status-call"]


def test_one_given_job_is_asked_for_and_stays_unspent() -> None:
    with given(SQL, number=1) as (server, target):
        found = examine(target)
        asked = [entry for entry in server.journal.entries() if entry.operation == "getSqlJobStatus"]
        assert target.asks_state(OPERATIONS[SQL])
        job = target.new_job(OPERATIONS[SQL], "LAUNCHING")

    assert [entry.target.split("/")[-2] for entry in asked] == [job.job_id]
    assert "  states, cancelSqlJob: read back by the status call" in found.lines()


def test_provider_states_are_read_and_the_call_is_not_sent() -> None:
    with FakeTarget() as fake:
        target = fake.target()
        examine(target)
        assert target.status_calls == {}
        assert not [seen for seen in fake.seen if seen.method == "GET" and seen.path.endswith("/status")]
        target.close()
