"""The server under test as the suite sees it: credentials, jobs, and provider states that cannot be trusted."""

from __future__ import annotations

from typing import Any

import hostile_server as hostile
import pytest
from fake_target import PROJECT, SECRET_KEY, SECURITY_TOKEN, TOKEN, FakeTarget, Reply, json_reply
from hostile_server import Listener

from calloff.apis import APIS
from calloff.verify.provider_states import ProviderStates, announced_targets
from calloff.verify.target import CannotSupplyError, Keys, Target, TargetError
from calloff.verify.wire import TargetLostError

SQL = APIS["otc-dli"].operations["cancelSqlJob"]
AI = APIS["tencent-ci"].operations["cancelAiJob"]
JOB = {"job_id": "j-1", "path_parameters": {"project_id": PROJECT, "job_id": "j-1"}}


def test_a_job_is_made_and_its_state_read_back() -> None:
    with FakeTarget() as fake:
        target = fake.target()
        job = target.new_job(SQL, "RUNNING")
        assert job.parameters == {"project_id": PROJECT, "job_id": job.job_id}
        assert target.state(SQL, job.job_id) == "RUNNING"
        target.close()


def test_a_state_that_is_waited_for_is_returned_as_soon_as_it_comes() -> None:
    states = iter(["RUNNING", "RUNNING", "CANCELLED", "FAILED"])
    with FakeTarget() as fake:
        target = fake.target()
        assert target.states is not None
        target.states.state = lambda *_: next(states)  # type: ignore[method-assign]
        assert target.settled_state(SQL, "j", "CANCELLED", 5) == "CANCELLED"
        assert target.settled_state(SQL, "j", "CANCELLED", 0) == "FAILED"
        target.close()


@pytest.mark.parametrize("kind", ["good", "token", "temporary"])
def test_credentials_that_are_not_given_are_asked_for_once(kind: str) -> None:
    with FakeTarget() as fake:
        target = fake.target(keys=Keys(project_id=PROJECT))
        first = target.credentials(kind)
        assert target.credentials(kind) is first
        target.renew(kind)
        assert target.credentials(kind) is not first
        assert set(first.secrets()) <= set(target.secrets())
        target.close()


PAIR = Keys("ID", "secret-key")
TEMPORARY = Keys("ID", "secret-key", "security-token")


@pytest.mark.parametrize(
    ("keys", "own"),
    [
        (PAIR, {"none", "good"}),
        (TEMPORARY, {"none", "temporary"}),
        (Keys(token="token-of-iam"), {"none", "token"}),
        (Keys("ID", "secret-key", token="token-of-iam"), {"none", "good", "token"}),
        (Keys(), {"none"}),
    ],
)
def test_given_credentials_serve_only_as_what_they_are(keys: Keys, own: set[str]) -> None:
    target = Target(APIS["otc-dli"], "http://127.0.0.1:1", keys)
    usable = set()
    for kind in ("none", "good", "temporary", "token", "expired-token"):
        try:
            target.credentials(kind)
        except CannotSupplyError:
            continue
        usable.add(kind)

    assert usable == own


def test_without_provider_states_no_job_can_be_had_and_no_state_read() -> None:
    target = Target(APIS["otc-dli"], "http://127.0.0.1:1", PAIR)
    for attempt in (lambda: target.new_job(SQL, "RUNNING"), lambda: target.state(SQL, "j")):
        with pytest.raises(CannotSupplyError, match="no provider states given"):
            attempt()
    target.close()


def test_what_the_provider_states_do_not_list_is_not_asked_for() -> None:
    listed = {"version": 1, "apis": {"otc-dli": {"operations": {"cancelSqlJob": {"states": ["RUNNING"]}}}}}
    with FakeTarget(provided={"GET ": json_reply(200, listed)}) as fake:
        target = fake.target(keys=Keys())
        with pytest.raises(CannotSupplyError, match="do not list state FINISHED for otc-dli/cancelSqlJob"):
            target.new_job(SQL, "FINISHED")
        with pytest.raises(CannotSupplyError, match="do not list state starting for otc-dli/cancelBatchJob"):
            target.new_job(APIS["otc-dli"].operations["cancelBatchJob"], "starting")
        with pytest.raises(CannotSupplyError, match="do not list good credentials"):
            target.credentials("good")
        target.close()


def test_501_is_a_skip_with_the_reason_that_the_server_gives() -> None:
    with FakeTarget(provided={"POST /jobs": json_reply(501, {"error": "no database"})}) as fake:
        target = fake.target()
        with pytest.raises(CannotSupplyError, match="no database"):
            target.new_job(SQL, "RUNNING")
        target.close()


def test_501_without_a_word_is_a_skip_too() -> None:
    with FakeTarget(provided={"GET ": Reply(501, b"<html>")}) as fake:
        target = fake.target()
        with pytest.raises(CannotSupplyError, match="it answers 501"):
            target.new_job(SQL, "RUNNING")
        target.close()


UNUSABLE = [
    Reply(500),
    Reply(404, b'{"error": "lost"}'),
    Reply(204),
    Reply(302, b"", (("Location", "/provider-states"),)),
    Reply(200, b"<html>"),
    Reply(200, b"\xff\xfe"),
    Reply(200, b"[]"),
    Reply(200, b'"text"'),
    Reply(200, b"[" * 100_000),
    Reply(200, b"{}"),
    Reply(200, raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
]


@pytest.mark.parametrize(
    "reply", UNUSABLE, ids=lambda reply: f"{reply.status}-{(reply.raw or reply.body)[:9]!r}"
)
@pytest.mark.parametrize("call", ["GET ", "POST /jobs", "GET /jobs"])
def test_nonsense_of_the_provider_states_is_a_clear_error(reply: Reply, call: str) -> None:
    with FakeTarget() as fake:
        target = fake.target()
        job = target.new_job(SQL, "RUNNING") if call != "GET " else None
        fake.provided = {call: reply}
        with pytest.raises(
            TargetError, match=f"{fake.states_url}.*(expected|no answer|closed|end of the connection)"
        ):
            target.new_job(SQL, "RUNNING") if job is None or call == "POST /jobs" else target.state(
                SQL, job.job_id
            )
        target.close()


SQL_STATES = {"cancelSqlJob": {"states": ["RUNNING"]}}


@pytest.mark.parametrize(
    ("apis", "words"),
    [
        ([], "names no states for otc-dli"),
        ({}, "names no states for otc-dli"),
        ({"otc-dli": []}, "names no states for otc-dli"),
        ({"otc-dli": {}}, "names no states for otc-dli"),
        ({"otc-dli": {"operations": []}}, "names no states for otc-dli"),
        ({"otc-dli": {"operations": {"cancelSqlJob": ["RUNNING"]}}}, "names no states for otc-dli"),
        (
            {"otc-dli": {"operations": {"cancelSqlJob": {"states": 1}}}},
            "expected the states of cancelSqlJob to be a list of texts, got 1",
        ),
        (
            {"otc-dli": {"operations": {"cancelSqlJob": {"states": "RUNNING"}}}},
            "expected the states of cancelSqlJob to be a list of texts, got 'RUNNING'",
        ),
        (
            {"otc-dli": {"operations": {"cancelSqlJob": {"states": ["RUNNING", 7]}}}},
            "expected the states of cancelSqlJob to be a list of texts",
        ),
        (
            {"otc-dli": {"operations": SQL_STATES, "credentials": 1}},
            "expected credentials to be a list of texts, got 1",
        ),
        (
            {"otc-dli": {"operations": SQL_STATES, "credentials": {"good": True}}},
            "expected credentials to be a list of texts",
        ),
        (
            {"otc-dli": {"operations": SQL_STATES, "credentials": None}},
            "expected credentials to be a list of texts",
        ),
    ],
)
def test_abilities_of_another_form_are_a_clear_error(apis: Any, words: str) -> None:
    with FakeTarget(provided={"GET ": json_reply(200, {"version": 1, "apis": apis})}) as fake:
        target = fake.target()
        with pytest.raises(TargetError, match=words):
            target.new_job(SQL, "RUNNING")
        target.close()


@pytest.mark.parametrize("version", [{}, {"version": 2}, {"version": "1"}, {"version": True}])
def test_another_version_of_the_provider_states_is_refused(version: dict[str, Any]) -> None:
    answer = {**version, "apis": {"otc-dli": {"operations": SQL_STATES}}}
    with FakeTarget(provided={"GET ": json_reply(200, answer)}) as fake:
        target = fake.target()
        with pytest.raises(TargetError, match="expected version 1 of this interface, got"):
            target.new_job(SQL, "RUNNING")
        target.close()


def test_a_list_of_abilities_of_another_form_is_told_in_full() -> None:
    with FakeTarget(provided={"GET ": json_reply(200, [])}) as fake:
        target = fake.target()
        with pytest.raises(TargetError, match="expected 200 or 201 with a JSON object"):
            target.new_job(SQL, "RUNNING")
        target.close()


@pytest.mark.parametrize(
    ("kind", "lacks", "words"),
    [
        ("good", "secret_key", "secret_key is missing, which good credentials are made of"),
        ("good", "access_key", r"access_key \(or secret_id\) is missing"),
        ("temporary", "security_token", "security_token is missing, which temporary credentials"),
        ("token", "token", "token is missing, which token credentials are made of"),
    ],
)
def test_credentials_that_lack_what_their_kind_is_made_of_are_a_clear_error(
    kind: str, lacks: str, words: str
) -> None:
    with FakeTarget() as fake:
        given = {name: value for name, value in fake.credentials(kind).items() if name != lacks}
        fake.provided = {"POST /credentials": json_reply(201, given)}
        target = fake.target(keys=Keys())
        with pytest.raises(TargetError, match=f"/credentials for {kind}: {words}") as caught:
            target.credentials(kind)
        assert "planted" not in str(caught.value)
        target.close()


def test_a_job_that_finishes_by_itself_is_asked_of_those_only_who_can() -> None:
    with FakeTarget() as fake:
        target = fake.target()
        with pytest.raises(CannotSupplyError, match="do not list jobs of otc-dli/cancelSqlJob that finish"):
            target.new_job(SQL, "RUNNING", finishes_after=1)
        assert fake.jobs == {}
        target.close()


def changed(**changes: Any) -> dict[str, Any]:
    return JOB | changes


def parameters(**changes: Any) -> dict[str, Any]:
    return changed(path_parameters={"project_id": PROJECT, "job_id": "j-1", **changes})


@pytest.mark.parametrize(
    "job",
    [
        changed(job_id=None),
        changed(job_id=5),
        changed(job_id=""),
        changed(job_id="j 1"),
        changed(job_id="j\r\nX-Evil: 1"),
        changed(job_id="\ud800"),
        changed(path_parameters=None),
        changed(path_parameters=["job_id"]),
        changed(path_parameters={"job_id": "j-1"}),
        parameters(job_id=""),
        parameters(job_id=".."),
        parameters(job_id="a/b"),
        parameters(job_id="j\r\nX-Evil: 1"),
        parameters(job_id="j\n"),
        parameters(job_id="\ud800"),
        parameters(job_id=5),
        parameters(project_id="../.."),
        changed(host="h\r\nX-Evil: 1"),
        changed(host="h h"),
        changed(host=""),
        changed(host=5),
        changed(host="\ud800"),
    ],
)
def test_a_job_that_cannot_be_named_as_documented_is_never_sent(job: Any) -> None:
    with FakeTarget(provided={"POST /jobs": json_reply(201, job)}) as fake:
        target = fake.target()
        with pytest.raises(TargetError, match=r"POST http.*/jobs: expected (job_id|project_id|host)"):
            target.new_job(SQL, "RUNNING")
        assert fake.seen == []
        target.close()


def test_a_job_id_is_written_into_the_path_as_one_segment() -> None:
    with Listener(hostile.reply(200, b'{"state": "RUNNING"}')) as listener:
        states = ProviderStates(listener.url + "/prefix/")
        assert states.state(SQL, "../?a=1#b") == "RUNNING"
        states.close()
        assert listener.requests[0].startswith(
            b"GET /prefix/jobs/otc-dli/cancelSqlJob/..%2F%3Fa%3D1%23b HTTP/1.1\r\n"
        )


@pytest.mark.parametrize("name", ["access_key", "secret_key", "security_token", "token", "project_id"])
@pytest.mark.parametrize(
    "value", ["planted\r\nX-Evil: 1", "planted value", "planted\n", "plänted", "\ud800", 5, ["x"]]
)
def test_a_credential_that_no_header_can_hold_is_refused_and_not_shown(name: str, value: Any) -> None:
    with FakeTarget(provided={"POST /credentials": json_reply(201, {name: value})}) as fake:
        target = fake.target(keys=Keys())
        with pytest.raises(
            TargetError, match=r"/credentials for good: expected (key_id|secret_key|\w+) to be"
        ) as caught:
            target.credentials("good")
        assert "planted" not in str(caught.value)
        target.close()


def test_provider_states_that_are_not_there_lose_the_target() -> None:
    with pytest.raises(TargetLostError):
        ProviderStates("http://127.0.0.1:1/provider-states", 1).abilities("otc-dli")


def test_keys_show_no_secret() -> None:
    keys = Keys("ID", SECRET_KEY, SECURITY_TOKEN, TOKEN, PROJECT)

    assert "planted" not in repr(keys)
    assert set(keys.secrets()) == {SECRET_KEY, SECURITY_TOKEN, TOKEN}


def test_an_announcement_becomes_a_target_for_each_api_that_it_names() -> None:
    announcement = {
        "provider_states_url": "http://127.0.0.1:1/provider-states",
        "apis": {
            "tencent-ci": {
                "base_url": "http://127.0.0.1:2",
                "host": "b.example.com",
                "credentials": {"secret_id": "I", "secret_key": "K"},
            },
            "otc-dli": {
                "base_url": "http://127.0.0.1:3",
                "project_id": PROJECT,
                "credentials": {"token": "T"},
            },
        },
    }
    ci, dli = announced_targets(announcement, settle=1, timeout=3)

    assert (ci.authority, ci.keys.key_id, ci.keys.secret_key) == ("b.example.com", "I", "K")
    assert (dli.authority, dli.keys.token, dli.keys.project_id) == ("127.0.0.1:3", "T", PROJECT)
    assert (ci.settle, ci.timeout, ci.new_wire().timeout) == (1, 3, 3)
