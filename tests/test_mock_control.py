"""The control interface over HTTP, in the shapes of its document."""

from __future__ import annotations

import json
import logging
import re
import socket
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import pytest
from mock_calls import CI, DLI, Caller

from calloff.contract import read_yaml
from calloff.mock.disturbances import KINDS, Disturbance
from calloff.mock.journal import LENGTH
from calloff.mock.origin import foreign_origin
from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = read_yaml("mock-control.openapi.yaml")
PLANTED = "planted-word-5f2c"


@pytest.fixture(scope="module")
def running() -> Iterator[Caller]:
    with (
        run_embedded(disturbances=[Disturbance(kind="latency", seconds=0)]) as server,
        httpx.Client(trust_env=False) as client,
    ):
        yield Caller(server, client)


@pytest.fixture
def caller(running: Caller) -> Iterator[Caller]:
    yield running
    assert running.client.delete(running.control).status_code == 204


def call(caller: Caller, method: str, path: str, content: Any = None, *, raw: bytes | None = None) -> Any:
    """Call the interface; gives the status and the content, both of which the document must describe."""
    body = raw if raw is not None else None if content is None else json.dumps(content).encode()
    base = caller.control.removesuffix("/control")
    answer = caller.client.request(method, base + path, content=body)
    template = re.sub(r"/disturbances/.+", "/disturbances/{id}", path.partition("?")[0])
    response = DOCUMENT["paths"][template][method.lower()]["responses"][str(answer.status_code)]
    response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    if "content" not in response:
        assert answer.content == b""
        return answer.status_code, None
    media = response["content"][answer.headers["content-type"]]
    schema = {**media["schema"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json())
    return answer.status_code, answer.json()


def wanted_schema() -> jsonschema.Draft202012Validator:
    schema = {"$ref": "#/components/schemas/Disturbance", "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(schema)


def test_the_kinds_are_those_of_the_document(caller: Caller) -> None:
    status, told = call(caller, "GET", "/control")
    assert status == 200
    properties = DOCUMENT["components"]["schemas"]["Disturbance"]["properties"]
    assert list(told["kinds"]) == properties["kind"]["enum"]
    assert {name for kind in told["kinds"].values() for name in kind["parameters"]} == set(properties) - {
        "kind"
    }
    for kind in told["kinds"].values():
        for name, parameter in kind["parameters"].items():
            if "default" in properties[name]:
                assert parameter["default"] == properties[name]["default"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_can_be_put_in_force_and_ended(caller: Caller, kind: str) -> None:
    members = Disturbance(kind=kind).members()
    wanted_schema().validate(members)
    status, told = call(caller, "POST", "/control/disturbances", members)
    assert (status, told) == (201, {"id": told["id"], **members})
    _, listed = call(caller, "GET", "/control/disturbances")
    assert listed["disturbances"][-1] == told
    assert call(caller, "DELETE", f"/control/disturbances/{told['id']}") == (204, None)
    _, listed = call(caller, "GET", "/control/disturbances")
    assert told not in listed["disturbances"]
    assert call(caller, "DELETE", f"/control/disturbances/{told['id']}")[0] == 404


def test_the_examples_of_the_document_are_accepted(caller: Caller) -> None:
    post = DOCUMENT["paths"]["/control/disturbances"]["post"]
    for example in post["requestBody"]["content"]["application/json"]["examples"].values():
        assert call(caller, "POST", "/control/disturbances", example["value"])[0] == 201


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "slow"}, "expected the kind of a disturbance"),
        ({"kind": "latency", "seconds": -1}, "latency: seconds is 0 to 3600 seconds, not -1"),
        ({"kind": "latency", "rate": 1}, "latency takes no rate"),
        ({"kind": "latency", "": 1}, "latency takes no ; it takes"),
        ([], "Expected a JSON object"),
        ("latency", "Expected a JSON object"),
        (None, "The request body is invalid"),
    ],
)
def test_what_is_no_disturbance_is_refused(caller: Caller, content: Any, message: str) -> None:
    status, told = call(caller, "POST", "/control/disturbances", content)
    assert status == 400
    assert message in told["error"]
    assert len(call(caller, "GET", "/control/disturbances")[1]["disturbances"]) == 1


@pytest.mark.parametrize(
    ("raw", "status"), [(b"{", 400), (b"[" * 60_000, 400), (b"\xff", 400), (b" " * 70_000, 413)]
)
def test_bodies_that_are_bombs_do_no_harm(caller: Caller, raw: bytes, status: int) -> None:
    assert call(caller, "POST", "/control/disturbances", raw=raw)[0] == status


@pytest.mark.parametrize("number", ["0", "x", "-1", "1e3", "9" * 40, "%00", "²"])
def test_a_number_that_is_none_ends_nothing(caller: Caller, number: str) -> None:
    assert call(caller, "DELETE", f"/control/disturbances/{number}")[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/control"), ("GET", "/control/"), ("GET", "/control/nothing"), ("POST", "/control/journal")],
)
def test_there_is_nothing_else(caller: Caller, method: str, path: str) -> None:
    answer = caller.client.request(method, caller.control.removesuffix("/control") + path)
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


# ------------------------------------------------------------------------------------------------- answered


def answered(caller: Caller) -> dict[str, int]:
    told: dict[str, int] = call(caller, "GET", "/control")[1]["answered"]
    return told


def test_every_answer_is_counted_where_it_was_given(caller: Caller) -> None:
    before = answered(caller)

    ci, dli = caller.job(CI), caller.job(DLI)
    assert caller.cancel(ci).status_code == 200
    for _ in range(2):
        caller.cancel(dli)
    # With a body, which takes the long way, and no HTTP at all.
    caller.client.request("DELETE", caller.place(DLI)["base_url"] + "/nowhere", content=b"{}")
    with socket.create_connection(caller.address(DLI), timeout=10) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    caller.client.get(caller.server.announcement["iam_url"])

    after = answered(caller)
    # Two jobs were made, and the first look at the counts has an answer too.
    assert {name: after[name] - before[name] for name in after} == {
        "provider-states": 3,
        "tencent-ci": 1,
        "otc-dli": 4,
        "huaweicloud-dli": 0,
        "iam": 1,
    }


def test_an_answer_that_is_cut_short_is_not_counted(caller: Caller) -> None:
    job = caller.job(DLI)
    caller.disturb(kind="truncate", requests=1)
    with pytest.raises(httpx.RemoteProtocolError):
        caller.cancel(job)

    assert answered(caller)["otc-dli"] == 0
    caller.cancel(job)
    assert answered(caller)["otc-dli"] == 1


def test_a_reset_lets_the_counts_begin_at_nothing(caller: Caller) -> None:
    caller.cancel(caller.job(DLI))
    assert caller.client.delete(caller.control).status_code == 204

    # The answer to the reset itself left after it.
    assert answered(caller) == dict.fromkeys(answered(caller), 0) | {"provider-states": 1}


# -------------------------------------------------------------------------------------------------- journal


def test_the_journal_tells_what_was_asked(caller: Caller) -> None:
    job = caller.job(CI)
    caller.headers["User-Agent"] = "suite/1 case/tencent-ci/cancelAiJob/table/x"
    answer = caller.cancel(job)
    caller.headers.clear()
    _, told = call(caller, "GET", "/control/journal")
    [entry] = told["entries"]
    assert told["total"] == 1
    assert entry["number"] == 1
    assert entry["api"] == "tencent-ci"
    assert entry["operation"] == "cancelAiJob"
    assert entry["method"] == "PUT"
    assert entry["target"] == f"/ai_jobs/{job.id}?cancel"
    assert {"host", "authorization", "user-agent"} <= set(entry["headers"])
    assert entry["user_agent"] == "suite/1 case/tencent-ci/cancelAiJob/table/x"
    assert entry["case"] == "tencent-ci/cancelAiJob/table/x"
    assert entry["status"] == 200
    assert entry["request_id"] == answer.headers["x-ci-request-id"]
    assert entry["disturbances"] == ["latency"]


def test_the_journal_can_be_searched(caller: Caller) -> None:
    caller.cancel(caller.job(CI))
    caller.cancel(caller.job(DLI))
    caller.headers["User-Agent"] = "case/a/1"
    caller.cancel(caller.job(DLI))
    caller.headers.clear()
    caller.client.get(caller.place(DLI)["base_url"] + "/nothing")

    def numbers(query: str) -> list[int]:
        _, told = call(caller, "GET", f"/control/journal?{query}")
        assert told["total"] == 4
        return [entry["number"] for entry in told["entries"]]

    assert numbers("") == [4, 3, 2, 1]
    assert numbers("api=otc-dli") == [4, 3, 2]
    assert numbers("operation=cancelSqlJob") == [3, 2]
    assert numbers("operation=cancel*&limit=2") == [3, 2]
    assert numbers("status=404") == [4]
    assert numbers("case=a/*") == [3]
    assert numbers("api=otc-dli&status=200&limit=1") == [3]
    assert call(caller, "DELETE", "/control/journal") == (204, None)
    assert call(caller, "GET", "/control/journal")[1] == {"total": 0, "entries": []}


@pytest.mark.parametrize(
    "query",
    ["status=2xx", "status=9", "status=", "limit=0", "limit=x", "limit=" + "9" * 50, "color=red", "x"],
)
def test_a_search_that_makes_no_sense_is_refused(caller: Caller, query: str) -> None:
    status, told = call(caller, "GET", f"/control/journal?{query}")
    assert status == 400
    assert "Expected api, operation, case, status" in told["error"]


def test_no_secret_stands_in_the_journal(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    names = ("Authorization", "X-Auth-Token", "X-Security-Token", "x-cos-security-token", "Cookie", "X-Other")
    headers = dict.fromkeys(names, f"a {PLANTED} b")
    queries = (
        f"?cancel&q-signature={PLANTED}&x-cos-security-token={PLANTED}&sign={PLANTED}",
        f"?{PLANTED}",
        f"?{PLANTED}=1&cancel={PLANTED}",
        f"?cancel&{PLANTED}==",
    )
    with caplog.at_level(logging.INFO, "calloff.mock"):
        for operation in (CI, DLI):
            base = caller.place(operation)["base_url"]
            for query in queries:
                answer = caller.client.put(base + "/ai_jobs/a1" + query, headers=headers, content=PLANTED)
                assert PLANTED not in answer.text
    _, told = call(caller, "GET", "/control/journal")
    assert told["total"] == 2 * len(queries)
    assert PLANTED not in json.dumps(told)
    assert PLANTED not in repr(caller.server.journal.entries())
    assert PLANTED not in caplog.text


def test_requests_of_the_suite_beside_the_apis_are_not_in_the_journal(caller: Caller) -> None:
    caller.job(CI)
    caller.client.post(caller.server.announcement["iam_url"] + "/v3/auth/tokens", json={})
    assert call(caller, "GET", "/control/journal")[1]["total"] == 0


def test_the_journal_keeps_the_newest(caller: Caller) -> None:
    url = caller.place(DLI)["base_url"] + "/nothing"
    for _ in range(LENGTH + 5):
        caller.client.get(url)
    _, told = call(caller, "GET", "/control/journal")
    assert told["total"] == LENGTH + 5
    assert [entry["number"] for entry in told["entries"]] == list(range(LENGTH + 5, 5, -1))


# ------------------------------------------------------------------------------------------------- the server


def test_a_reset_brings_back_the_start(caller: Caller) -> None:
    job = caller.job(DLI)
    caller.cancel(job)
    caller.disturb(kind="close")
    call(caller, "DELETE", "/control/disturbances/1")
    assert call(caller, "DELETE", "/control") == (204, None)
    assert call(caller, "GET", "/control/journal")[1]["total"] == 0
    [one] = call(caller, "GET", "/control/disturbances")[1]["disturbances"]
    assert (one["id"], one["kind"]) == (1, "latency")
    states = caller.server.announcement["provider_states_url"]
    assert caller.client.get(f"{states}/jobs/{DLI}/{job.id}").status_code == 404


def test_all_disturbances_can_be_ended(caller: Caller) -> None:
    assert call(caller, "DELETE", "/control/disturbances") == (204, None)
    assert call(caller, "GET", "/control/disturbances")[1] == {"disturbances": []}
    assert not caller.server.disturbances.active


def test_forgetting_provider_states_leaves_disturbances_alone(caller: Caller) -> None:
    caller.disturb(kind="close")
    caller.client.delete(caller.server.announcement["provider_states_url"])
    assert len(call(caller, "GET", "/control/disturbances")[1]["disturbances"]) == 2


def test_every_port_says_that_it_is_well(caller: Caller) -> None:
    caller.disturb(kind="gateway")
    announced = caller.server.announcement
    bases = [api["base_url"] for api in announced["apis"].values()]
    bases += [announced["iam_url"], caller.control.removesuffix("/control")]
    for base in bases:
        answer = caller.client.get(f"{base}/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert "date" in answer.headers
        head = caller.client.head(f"{base}/healthz")
        assert (head.status_code, head.content) == (200, b"")
        assert caller.client.put(f"{base}/healthz").status_code != 200
    assert call(caller, "GET", "/healthz")[0] == 200


# --------------------------------------------------------------------------------------------------- the jobs


def test_the_jobs_are_listed_with_their_states(caller: Caller) -> None:
    first, second = caller.job(DLI), caller.job(DLI)
    began = call(caller, "GET", "/control/jobs")[1]["now"]
    caller.cancel(first)
    status, told = call(caller, "GET", "/control/jobs?api=otc-dli&operation=*SqlJob")
    assert status == 200
    assert told["operations"] == [
        {
            "api": "otc-dli",
            "operation": "cancelSqlJob",
            "total": 2,
            "counted": 2,
            "states": {
                "LAUNCHING": 0,
                "RUNNING": 1,
                "SCALING": 0,
                "FINISHED": 0,
                "FAILED": 0,
                "CANCELLED": 1,
            },
        }
    ]
    newer, older = told["jobs"]
    assert (newer["id"], newer["state"], newer["cancellable"]) == (second.id, "RUNNING", True)
    assert (older["id"], older["state"], older["cancellable"]) == (first.id, "CANCELLED", False)
    assert older["owner"] == "self"
    assert older["owner_id"] == first.parameters["project_id"]
    assert newer["since"] <= began <= older["since"] <= told["now"]


def test_jobs_can_be_searched(caller: Caller) -> None:
    for operation in (CI, DLI):
        caller.cancel(caller.job(operation))
        caller.job(operation)

    def states(query: str) -> list[str]:
        return [job["state"] for job in call(caller, "GET", f"/control/jobs?{query}")[1]["jobs"]]

    assert states("") == ["Submitted", "Cancel", "RUNNING", "CANCELLED"]
    assert states("limit=1") == ["Submitted", "RUNNING"]
    assert states("state=CANC*") == ["CANCELLED"]
    assert states("api=tencent-ci&limit=1000") == ["Submitted", "Cancel"]
    assert states("operation=cancelBatchJob") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "status=200", "case=x", "x"])
def test_a_search_for_jobs_that_makes_no_sense_is_refused(caller: Caller, query: str) -> None:
    status, told = call(caller, "GET", f"/control/jobs?{query}")
    assert status == 400
    assert "Expected api, operation, state or limit (1 to 1000)" in told["error"]


# ------------------------------------------------------------------------------------- pages of other sites

CHANGES = [
    ("DELETE", "/control"),
    ("POST", "/control/disturbances"),
    ("DELETE", "/control/disturbances"),
    ("DELETE", "/control/disturbances/1"),
    ("DELETE", "/control/journal"),
]


def asked(caller: Caller, method: str, path: str, **headers: str) -> httpx.Response:
    base = caller.control.removesuffix("/control")
    content = b'{"kind": "close"}' if method == "POST" else None
    return caller.client.request(method, base + path, headers=headers, content=content)


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("origin", ["https://site.example", "null", "http://127.0.0.1:1", "", "http://["])
def test_a_page_of_another_site_changes_nothing(caller: Caller, method: str, path: str, origin: str) -> None:
    job = caller.job(DLI)
    caller.cancel(job)
    answer = asked(caller, method, path, Origin=origin)
    assert answer.status_code == 403
    assert set(answer.json()) == {"error"}
    assert "access-control-allow-origin" not in answer.headers
    assert caller.state(job) == "CANCELLED"
    assert len(caller.journal()) == 1
    assert [one.disturbance.kind for one in caller.server.disturbances.all()] == ["latency"]


def test_the_refusal_is_the_documented_one(caller: Caller) -> None:
    answer = asked(caller, "DELETE", "/control", Origin="https://site.example")
    told = DOCUMENT["components"]["responses"]["ForeignOrigin"]["content"]["application/json"]["examples"]
    assert answer.json() == told["otherSite"]["value"]
    for method, path in CHANGES:
        template = path.replace("/1", "/{id}")
        assert "403" in DOCUMENT["paths"][template][method.lower()]["responses"]


def test_a_site_whose_name_leads_here_changes_nothing(caller: Caller) -> None:
    answer = asked(caller, "DELETE", "/control", Origin="http://site.example", Host="site.example")
    assert answer.status_code == 403
    assert "The name site.example could be anybody's" in answer.json()["error"]


def test_a_page_of_another_site_makes_no_jobs_either(caller: Caller) -> None:
    states = caller.server.announcement["provider_states_url"]
    wanted = {"api": "otc-dli", "operation": "cancelSqlJob", "state": "RUNNING", "owner": "self"}
    answer = caller.client.post(f"{states}/jobs", json=wanted, headers={"Origin": "https://site.example"})
    assert answer.status_code == 403
    assert call(caller, "GET", "/control/jobs")[1]["jobs"] == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "mock.localhost", "[::1]", "192.168.7.7"])
def test_the_own_page_may_change_things(caller: Caller, name: str) -> None:
    answer = asked(caller, "POST", "/control/disturbances", Origin=f"http://{name}:8600", Host=f"{name}:8600")
    assert answer.status_code == 201


def test_a_program_may_call_the_server_by_any_name(caller: Caller) -> None:
    assert asked(caller, "POST", "/control/disturbances", Host="mock:8600").status_code == 201


def test_what_only_reads_is_answered_whoever_asks(caller: Caller) -> None:
    answer = asked(caller, "GET", "/control", Origin="https://site.example")
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_the_name_that_the_server_listens_on_is_its_own() -> None:
    headers = [(b"host", b"mock.test:8600"), (b"origin", b"http://mock.test:8600")]
    assert foreign_origin("DELETE", headers, "Mock.test") == ""
    assert foreign_origin("DELETE", headers, "127.0.0.1") != ""
    assert foreign_origin("DELETE", [*headers, (b"host", b"other.test")], "mock.test") != ""
