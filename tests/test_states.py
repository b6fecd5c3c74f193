"""What the clients make of the answer to a call that reads a job's state: the state, or a typed error."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

import hostile_server as hostile
import httpx
import pytest
import yaml
from hostile_server import Listener
from operations import (
    ACCESS_KEY,
    CI_AI,
    CI_BATCH,
    HUAWEI_SQL,
    MODES,
    OTC_BATCH,
    OTC_SQL,
    PROJECT,
    READ_CI_AI,
    READ_CI_BATCH,
    READ_HUAWEI_SQL,
    READ_OTC_BATCH,
    READ_OTC_SQL,
    READING_CASES,
    TOKEN,
    UUID,
    Case,
    ci_state,
    iam_user,
    sql_state,
)
from test_clients import CLASSES, NO_ANSWERS

from calloff import (
    AccessKey,
    ApiError,
    AuthenticationError,
    JobState,
    RefusedError,
    UnexpectedAnswerError,
)
from calloff.mock.server import MockServer, run_embedded
from calloff.resources import spec_path

every_reading = pytest.mark.parametrize("case", READING_CASES, ids=lambda case: case.key)
both_ways = pytest.mark.parametrize("mode", MODES)
BY_KEY = {case.key: case for case in READING_CASES}
CI = [READ_CI_BATCH, READ_CI_AI]
DLI = [READ_OTC_BATCH, READ_OTC_SQL, READ_HUAWEI_SQL]
SQL = [READ_OTC_SQL, READ_HUAWEI_SQL]
TARGETS = {
    READ_CI_BATCH.key: f"GET /inventorytriggerjob/{CI_BATCH.job_id}",
    READ_CI_AI.key: f"GET /ai_jobs/{CI_AI.job_id}",
    READ_OTC_BATCH.key: f"GET /v2.0/{PROJECT}/batches/{UUID}/state",
    READ_OTC_SQL.key: f"GET /v1.0/{PROJECT}/jobs/{UUID}/status",
    READ_HUAWEI_SQL.key: f"GET /v1.0/{PROJECT}/jobs/{UUID}/status",
}


def _read(
    case: Case, body: bytes, headers: dict[str, str] | None = None, *, mode: str = "sync", status: int = 200
) -> Any:
    with Listener(hostile.reply(status, body, headers)) as listener:
        try:
            return case.cancel(mode, listener.url)
        finally:
            assert len(listener.requests) == 1  # whatever comes, nothing is sent again


def _error(case: Case, body: bytes, headers: dict[str, str] | None = None, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        _read(case, body, headers, **options)
    return caught.value


def _body(case: Case, state: str) -> bytes:
    if case in CI:
        return ci_state(case.job_id, state)
    return sql_state(state) if case in SQL else json.dumps({"id": UUID, "state": state}).encode()


# --- requests ---


@both_ways
@every_reading
def test_a_reading_asks_for_its_job_without_query_and_body(case: Case, mode: str) -> None:
    with Listener(hostile.reply(200, case.accepted)) as listener:
        case.cancel(mode, listener.url)
        head, _, body = listener.requests[0].partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")

    assert lines[0] == f"{TARGETS[case.key]} HTTP/1.1"
    assert body == b""
    assert not [line for line in lines if line.lower().startswith("content-length")]
    assert [line for line in lines if "Content-Type" in line] == (
        ["Content-Type: application/json"] if case == READ_HUAWEI_SQL else []
    )


@every_reading
def test_nothing_but_the_way_is_signed(case: Case) -> None:
    with Listener(hostile.reply(200, case.accepted)) as listener:
        case.cancel("sync", listener.url, ACCESS_KEY)
        request = listener.requests[0].decode("ascii")

    assert ("&q-url-param-list=&" in request) == (case in CI)


@both_ways
def test_a_token_that_has_ended_is_renewed_once_for_a_reading_too(mode: str) -> None:
    ended = b'{"error_code": "APIGW.0307", "error_msg": "The token must be updated."}'
    granted = json.dumps({"token": {"expires_at": "2026-01-16T09:30:00.000000Z"}}).encode()
    tokens = [
        hostile.message(201, granted, {"X-Subject-Token": f"planted-fetched-token-{n}"}) for n in (1, 2)
    ]
    answers = [tokens[0], hostile.message(401, ended), tokens[1], hostile.message(200, sql_state("RUNNING"))]

    def behave(listener: Listener, connection: Any) -> None:
        connection.sendall(answers[len(listener.requests) - 1])

    with Listener(behave) as listener:
        read: Any = READ_OTC_SQL.cancel(mode, listener.url, iam_user(listener.url))
        starts = [request.split(b" ", 1)[0] for request in listener.requests]

    assert read.state == "RUNNING"
    assert starts == [b"POST", b"GET", b"POST", b"GET"]


# --- states ---


def _documented_states() -> list[Any]:
    rows = []
    for key, case in BY_KEY.items():
        api, name = key.split("/")
        document = yaml.safe_load(spec_path(f"{api}-status.openapi.yaml").read_text(encoding="utf-8"))
        for item in document["paths"].values():
            if item["get"]["operationId"] == name:
                rows += [
                    pytest.param(case, row["state"], row["final"], id=f"{key}-{row['state']}")
                    for row in item["get"]["x-job-states"]
                ]
    return rows


@both_ways
@pytest.mark.parametrize(("case", "state", "final"), _documented_states())
def test_every_documented_state_is_read_with_its_finality(
    case: Case, state: str, final: bool, mode: str
) -> None:
    body = _body(case, state)
    header = "x-ci-request-id" if case in CI else "X-Request-Id"

    read = _read(case, body, {header: "r1"}, mode=mode)

    assert read == JobState(case.key, case.job_id, state, final, "r1", body.decode())


@every_reading
def test_a_state_that_no_page_knows_is_told_and_not_called_final(case: Case) -> None:
    read = _read(case, _body(case, "FINISH"))

    assert (read.state, read.final) == ("FINISH", False)


@pytest.mark.parametrize(("told", "state", "final"), [("Success", "success", True), ("DEAD", "dead", True)])
def test_a_batch_state_is_spelt_as_in_the_table_of_its_page(told: str, state: str, final: bool) -> None:
    """The page's own example is `Success`, its table has `success`."""
    read = _read(READ_OTC_BATCH, _body(READ_OTC_BATCH, told))

    assert (read.state, read.final) == (state, final)


@pytest.mark.parametrize("case", [*CI, *SQL], ids=lambda case: case.key)
@pytest.mark.parametrize("told", ["cancel", "cancelled", "Canceled"])
def test_other_states_are_not_respelt(case: Case, told: str) -> None:
    read = _read(case, _body(case, told))

    assert (read.state, read.final) == (told, False)


@pytest.mark.parametrize(
    ("case", "body"),
    [
        (READ_OTC_BATCH, b'{"state": "dead"}'),
        (READ_OTC_BATCH, b'{"state": "dead", "is_success": false, "error_code": null, "log": []}'),
        (READ_OTC_BATCH, json.dumps({"id": UUID.upper(), "state": "dead"}).encode()),
        (READ_OTC_SQL, b'{"status": "FAILED"}'),
        (READ_HUAWEI_SQL, b'{"status": "FAILED", "is_success": true, "tags": [], "more": {}}'),
        (READ_CI_AI, b"<Response><JobsDetail><State> Failed </State></JobsDetail></Response>"),
        (
            READ_CI_AI,
            ci_state("a0", "Running").replace(b"</Response>", b"")
            + ci_state(CI_AI.job_id, "Failed").replace(b"<Response>", b""),
        ),
        (READ_CI_BATCH, b'\n<?xml version="1.0"?>'.strip() + ci_state(CI_BATCH.job_id, "Failed")),
    ],
    ids=[
        "no id", "further members", "id in capitals", "state alone", "more members", "no JobId", "two jobs",
        "declaration",
    ],
)  # fmt: skip
def test_members_may_be_absent_and_others_may_come(case: Case, body: bytes) -> None:
    assert _read(case, body).final is True


@every_reading
def test_what_is_kept_of_an_answer_is_bounded_and_holds_no_secret(case: Case) -> None:
    def echo(listener: Listener, connection: Any) -> None:
        request = listener.requests[-1].decode("latin-1")
        authorization = next(line for line in request.split("\r\n") if line.startswith("Authorization"))
        mark = f"<!-- {authorization} -->" if case in CI else ""
        body = _body(case, "RUNNING").decode()
        if case not in CI:
            body = json.dumps({**json.loads(body), "echo": authorization})
        connection.sendall(hostile.message(200, f"{body}{mark}{' ' * 100_000}".encode()))

    with Listener(echo) as listener:
        read: Any = case.cancel("sync", listener.url)
        signature = listener.requests[0].decode().rpartition("ignature=")[2].split("\r\n")[0]

    assert len(read.text) == 65536
    assert signature not in read.text
    assert "***" in read.text
    assert "***" not in repr(read)


# --- errors ---


@both_ways
@pytest.mark.parametrize("case", CI, ids=lambda case: case.key)
@pytest.mark.parametrize("node", ["NonExistJobIds", "NonExistJobId"])
def test_a_job_that_ci_does_not_know_is_refused(case: Case, node: str, mode: str) -> None:
    error = _error(case, f"<Response><{node}>{case.job_id}</{node}></Response>".encode(), mode=mode)

    assert type(error) is RefusedError
    assert (error.status, error.retryable) == (200, False)
    assert "knows no such job" in str(error)


@both_ways
@pytest.mark.parametrize("case", SQL, ids=lambda case: case.key)
@pytest.mark.parametrize("value", ["false", '"true"', "null", "1"])
def test_a_sql_200_whose_is_success_is_not_true_is_refused(case: Case, value: str, mode: str) -> None:
    body = f'{{"is_success": {value}, "message": "no", "status": "FINISHED"}}'.encode()

    error = _error(case, body, mode=mode)

    assert type(error) is RefusedError
    assert (error.text, "is_success is not true" in str(error)) == ("no", True)


@pytest.mark.parametrize("case", DLI, ids=lambda case: case.key)
def test_an_error_in_a_200_is_refused(case: Case) -> None:
    told = json.loads(case.accepted)

    error = _error(case, json.dumps({**told, "error_code": "DLI.0002", "error_msg": "none"}).encode())

    assert type(error) is RefusedError
    assert (error.code, error.text) == ("DLI.0002", "none")


NO_STATE: list[tuple[Case, bytes]] = [
    (READ_OTC_BATCH, b"{}"),
    (READ_OTC_BATCH, b'{"state": ""}'),
    (READ_OTC_BATCH, b'{"state": null}'),
    (READ_OTC_BATCH, b'{"state": ["dead"]}'),
    (READ_OTC_BATCH, b'{"id": "another", "state": "dead"}'),
    (READ_OTC_BATCH, b'{"id": 1, "state": "dead"}'),
    (READ_OTC_SQL, b'{"is_success": true}'),
    (READ_OTC_SQL, b'{"state": "FINISHED"}'),
    (READ_OTC_SQL, b'{"job_id": "another", "status": "FINISHED"}'),
    (READ_CI_AI, b"<Response/>"),
    (READ_CI_AI, b"<Response><JobsDetail/></Response>"),
    (READ_CI_AI, b"<Response><JobsDetail><State/></JobsDetail></Response>"),
    (READ_CI_AI, ci_state("a0", "Cancel")),
    (READ_CI_AI, b"<Response><NonExistJobIds>a0</NonExistJobIds></Response>"),
    (READ_CI_BATCH, ci_state("", "Cancel")),
    (
        READ_CI_BATCH,
        b"<Response>" + b"<JobsDetail><State>Cancel</State></JobsDetail>" * 2 + b"</Response>",
    ),
]


@both_ways
@pytest.mark.parametrize(("case", "body"), NO_STATE)
def test_a_200_that_tells_no_state_of_this_job_is_unexpected(case: Case, body: bytes, mode: str) -> None:
    error = _error(case, body, mode=mode)

    assert type(error) is UnexpectedAnswerError
    assert "it tells no state of this job" in str(error)


OTHER_BODIES = {
    **{name: given for name, given in NO_ANSWERS.items() if name != "xml"},
    "empty": (b"", {}),
    "another root": (b"<Error><State>Cancel</State></Error>", {}),
    "not well-formed": (b"<Response><JobsDetail><State>Cancel<State></JobsDetail></Response>", {}),
    "entities": (b'<!DOCTYPE r [<!ENTITY a "Cancel">]><Response>&a;</Response>', {}),
}


@both_ways
@pytest.mark.parametrize(("body", "headers"), OTHER_BODIES.values(), ids=OTHER_BODIES)
@every_reading
def test_a_200_with_another_body_is_unexpected(
    case: Case, mode: str, body: bytes, headers: dict[str, str]
) -> None:
    error = _error(case, body, headers, mode=mode)

    assert type(error) is UnexpectedAnswerError
    assert "body is not the documented one" in str(error)


def _documented_errors() -> Iterator[Any]:
    for key in BY_KEY:
        api, name = key.split("/")
        document = yaml.safe_load(spec_path(f"{api}-status.openapi.yaml").read_text(encoding="utf-8"))
        responses = document["components"]["responses"]
        operation = next(i["get"] for i in document["paths"].values() if i["get"]["operationId"] == name)
        for status, node in operation["responses"].items():
            content = responses[node["$ref"].rpartition("/")[2]]["content"]
            for media, described in content.items() if status != "200" else ():
                for label, example in described["examples"].items():
                    yield pytest.param(
                        key, int(status), media, example["value"], id=f"{key}-{status}-{label}"
                    )


@pytest.mark.parametrize(("key", "status", "media", "example"), list(_documented_errors()))
def test_every_documented_error_has_its_class_code_and_message(
    key: str, status: int, media: str, example: dict[str, str]
) -> None:
    if media == "application/xml":
        members = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in example.items())
        body, code, text = f"<Error>{members}</Error>".encode(), example["Code"], example["Message"]
    else:
        body, code, text = json.dumps(example).encode(), example["error_code"], example["error_msg"]

    error = _error(BY_KEY[key], body, status=status)

    assert type(error) is CLASSES[status]
    assert (error.status, error.code, error.text) == (status, code, text)


# --- the mock ---


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with run_embedded(["tencent-ci", "otc-dli", "huaweicloud-dli"]) as embedded:
        yield embedded


PAIRS = [
    (CI_BATCH, READ_CI_BATCH, "Submitted", "Cancel"),
    (CI_AI, READ_CI_AI, "Submitted", "Cancel"),
    (OTC_BATCH, READ_OTC_BATCH, "running", "dead"),
    (OTC_SQL, READ_OTC_SQL, "RUNNING", "CANCELLED"),
    (HUAWEI_SQL, READ_HUAWEI_SQL, "RUNNING", "CANCELLED"),
]


@both_ways
@pytest.mark.parametrize(("cancel", "reading", "before", "after"), PAIRS, ids=lambda value: str(value)[:60])
def test_a_cancel_of_the_mock_is_seen_by_the_reading(
    server: MockServer, cancel: Case, reading: Case, before: str, after: str, mode: str
) -> None:
    name, operation = cancel.key.split("/")
    api = server.announcement["apis"][name]
    wanted = {"api": name, "operation": operation, "state": before, "owner": "self"}
    states = server.announcement["provider_states_url"]
    job = httpx.post(f"{states}/jobs", json=wanted, trust_env=False).json()
    given = api["credentials"]
    key = AccessKey(
        given.get("secret_id") or given["access_key"], given.get("secret_key") or given["secret_key"]
    )
    options: dict[str, Any] = {"clock": time.time, "job_id": job["job_id"]}
    options |= {"host": job.get("host") or api["host"]} if name == "tencent-ci" else {}
    options |= {"project_id": api["project_id"]} if name != "tencent-ci" else {}

    first: Any = reading.cancel(mode, api["base_url"], key, **options)
    cancel.cancel(mode, api["base_url"], key, **options)
    second: Any = reading.cancel(mode, api["base_url"], key, **options)

    assert (first.state, first.final) == (before, False)
    assert (second.state, second.final) == (after, True)
    assert second.job_id == job["job_id"]
    assert second.request_id


@pytest.mark.parametrize("reading", READING_CASES, ids=lambda case: case.key)
def test_the_mock_refuses_to_tell_a_stranger(server: MockServer, reading: Case) -> None:
    api = server.announcement["apis"][reading.key.split("/")[0]]

    with pytest.raises(AuthenticationError):
        reading.cancel("sync", api["base_url"], ACCESS_KEY, clock=time.time)


def test_a_ready_token_reads_too() -> None:
    with Listener(hostile.reply(200, sql_state("RUNNING"))) as listener:
        read: Any = READ_HUAWEI_SQL.cancel("sync", listener.url, TOKEN)

    assert read.state == "RUNNING"
