"""The look at a target before the checks: what it sends, what it finds, and what it says of each way to be broken."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile_server as hostile
import pytest
import trustme
from fake_target import (
    BUCKET,
    OTHER_PROJECT,
    PROJECT,
    SECRET_KEY,
    SECURITY_TOKEN,
    TOKEN,
    FakeTarget,
    Reply,
    Seen,
    json_reply,
    refusal,
)
from hostile_server import Behaviour, Listener

from calloff.apis import APIS, ApiName
from calloff.contract import load_catalogue
from calloff.mock.disturbances import Disturbance
from calloff.mock.server import MockServer, run_embedded
from calloff.mock.tls import Tls
from calloff.verify.given import given_target
from calloff.verify.jobs_file import read_jobs
from calloff.verify.pace import Pace
from calloff.verify.preflight import Examination, examine, requests
from calloff.verify.provider_states import announced_targets
from calloff.verify.session import Session
from calloff.verify.target import Keys, Target
from calloff.verify.wire import Request

CATALOGUE = load_catalogue()
SQL = APIS["otc-dli"].operations["cancelSqlJob"]
KEYS = Keys("KEYID", SECRET_KEY, token=TOKEN, project_id=PROJECT)
PAIR = Keys("KEYID", SECRET_KEY, project_id=PROJECT)
TOKEN_ALONE = Keys(token=TOKEN, project_id=PROJECT)


def examined(target: Target) -> Examination:
    try:
        return examine(target, CATALOGUE)
    finally:
        target.close()


def examined_at(url: str, keys: Keys = TOKEN_ALONE, **options: Any) -> Examination:
    return examined(Target(APIS["otc-dli"], url, keys, timeout=2.0, **options))


def always(reply: Reply) -> Callable[[FakeTarget, Seen], Reply]:
    return lambda fake, request: reply


def verdicts(found: Examination) -> dict[str, str]:
    return {way.name: way.verdict for way in found.ways}


@pytest.fixture(scope="module", params=list(APIS))
def mock(request: pytest.FixtureRequest) -> Iterator[MockServer]:
    with run_embedded([request.param]) as server:
        yield server


def test_a_good_server_accepts_every_way_and_lists_its_states(mock: MockServer) -> None:
    (target,) = announced_targets(mock.announcement)
    found = examined(target)

    assert (found.problem, found.reachable, found.clock) == ("", True, "as ours")
    assert set(verdicts(found).values()) == {"accepted"}
    assert len(found.accepted) == len(found.ways) > 3
    assert set(found.states) == set(target.api.operations)
    lines = found.lines()
    assert lines[0] == f"{target.api.name} at {target.base_url}, Host {target.authority}"
    assert lines[1:3] == ["  reachable: yes", "  clock: as ours"]
    assert not [line for line in lines if "problem" in line]


def test_nothing_is_sent_but_what_is_listed_and_no_job_is_touched(mock: MockServer) -> None:
    mock.journal.clear()
    (target,) = announced_targets(mock.announcement)
    listed = list(requests(target, CATALOGUE))
    assert list(mock.journal.entries()) == []

    examined(target)
    seen = list(mock.journal.entries())[::-1]
    assert [entry.case for entry in seen] == [case for case, _ in listed]
    paths = [request.target.partition("?")[0] for _, request in listed]
    assert [entry.target.partition("?")[0] for entry in seen] == paths
    assert len(set(paths)) == len(paths)
    assert {entry.status for entry in seen}.isdisjoint({200})


@pytest.mark.parametrize("seconds", [1200.0, -1200.0])
def test_a_clock_far_from_ours_is_followed(seconds: float) -> None:
    skew = Disturbance(kind="clock-skew", seconds=seconds)
    with run_embedded(["otc-dli"], disturbances=[skew]) as server:
        (target,) = announced_targets(server.announcement)
        found = examined(target)

    # Signatures of our own time would be refused.
    assert (found.problem, set(verdicts(found).values())) == ("", {"accepted"})
    assert target.clock_skew == pytest.approx(seconds, abs=30)
    assert abs(target.now() - time.time() - seconds) < 30
    assert ("ahead of" if seconds > 0 else "behind") in found.clock


@pytest.mark.parametrize(
    ("date", "clock"),
    [
        ((), "the server names no Date"),
        ((("Date", "yesterday"),), "the server names no Date"),
        ((("Date", "Fri, 31 Dec 9999 23:59:59 GMT"),), "s ahead of ours"),
    ],
)
def test_any_date_is_taken_for_what_it_is(date: tuple[tuple[str, str], ...], clock: str) -> None:
    with FakeTarget(script=always(Reply(404, b"", date))) as fake:
        assert clock in examined(fake.target()).clock


def test_a_target_without_jobs_says_so() -> None:
    with FakeTarget() as fake:
        found = examined(fake.target(states=False))

    assert found.problem == ""
    assert "  jobs: none, neither --provider-states nor --jobs is given" in found.lines()
    assert verdicts(found)["temporary key, token signed"] == "not tried"


def test_the_operation_that_jobs_are_supplied_for_is_asked() -> None:
    with FakeTarget() as fake:
        operations = {"cancelBatchJob": {"states": []}, "cancelSqlJob": {"states": ["RUNNING"]}}
        fake.provided = {
            "GET ": json_reply(200, {"version": 1, "apis": {"otc-dli": {"operations": operations}}})
        }
        examined(fake.target())

    assert {request.path.split("/")[1] for request in fake.seen} == {"v1.0"}


def test_a_key_is_refused_twice_and_no_more() -> None:
    with FakeTarget(script=always(refusal(401, "APIGW.0301"))) as fake:
        found = examined(fake.target(keys=PAIR, states=False))

    signed = [request for request in fake.seen if "Access=KEYID" in request.header("Authorization")]
    assert len(signed) == 2
    assert (
        "refused the credentials in every way (signature over host and date: 401 APIGW.0301;" in found.problem
    )
    assert set(verdicts(found).values()) == {"refused", "not tried"}
    assert found.accepted == ()


def test_refusals_count_towards_the_lock_of_the_key_in_the_run_that_follows() -> None:
    def refuse_signatures(fake: FakeTarget, request: Seen) -> Reply | None:
        return refusal(401, "APIGW.0301") if request.header("Authorization") else None

    with FakeTarget(script=refuse_signatures) as fake:
        target = fake.target(keys=KEYS, states=False)
        found = examined(target)
        assert (found.problem, target.guard.row("KEYID")) == ("", 2)
    with FakeTarget() as fake:
        target = fake.target(keys=KEYS, states=False)
        examined(target)
        assert target.guard.row("KEYID") == 0


def test_one_way_that_is_accepted_is_enough() -> None:
    def refuse_signatures(fake: FakeTarget, request: Seen) -> Reply | None:
        return refusal(401, "APIGW.0301") if request.header("Authorization") else None

    with FakeTarget(script=refuse_signatures) as fake:
        found = examined(fake.target(states=False))

    assert found.problem == ""
    assert found.accepted == ("token",)


UNCLEAR = [
    (Reply(500), "500 may be about something else"),
    (Reply(302, b"", (("Location", "/"),)), "302 may be about something else"),
    (
        Reply(403, b'{"error_code": "DLI.0003", "error_msg": "no"}'),
        "403 DLI.0003 may be about something else",
    ),
    (Reply(404, b"<html>"), "404, as without any credential"),
    (Reply(200, b'{"error_code": "planted words, \\u001b[31m"}'), "200, as without any credential"),
]


@pytest.mark.parametrize(("reply", "detail"), UNCLEAR, ids=lambda value: str(value)[:20])
def test_an_answer_that_says_nothing_of_the_credential_is_not_taken_for_a_refusal(
    reply: Reply, detail: str
) -> None:
    with FakeTarget(script=always(reply)) as fake:
        found = examined(fake.target(keys=TOKEN_ALONE, states=False))

    assert found.accepted == ()
    assert f"  credential, token: unclear, {detail}" in found.lines()
    assert bool(found.problem) is (b"error_code" not in reply.body)


STRANGERS: list[tuple[ApiName, Reply, str]] = [
    (
        "otc-dli",
        Reply(501, b"<p>", (("Content-Type", "text/html"),)),
        "expected JSON with error_code, got 501 text/html;",
    ),
    ("otc-dli", json_reply(404, {"error": "no"}), "expected JSON with error_code, got 404 application/json;"),
    ("tencent-ci", Reply(400, b"Client sent HTTP"), "expected XML with root Error, got 400;"),
]


@pytest.mark.parametrize(("api", "reply", "words"), STRANGERS)
def test_what_is_no_such_server_is_a_problem(api: ApiName, reply: Reply, words: str) -> None:
    with FakeTarget(api, always(reply)) as fake:
        found = examined(fake.target())

    assert found.problem.startswith(f"no answer looks like one of {api}: {words}")
    assert found.problem.endswith(f"is {fake.url} the right address? Or is it https?")
    assert not any("refused" in way.detail for way in found.ways)


def test_answers_that_are_cut_short_are_still_answers() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply:
        return Reply(0, raw=fake.good(request).to_bytes().replace(b"Content-Length: ", b"Content-Length: 9"))

    with FakeTarget(script=script) as fake:
        found = examined(fake.target(keys=TOKEN_ALONE))

    assert (found.problem, found.reachable) == ("", True)
    assert "token" in found.accepted


def test_the_host_of_our_jobs_is_learned_where_none_is_given() -> None:
    with FakeTarget("tencent-ci") as fake:
        target = fake.target()
        target.host = None
        examined(target)

    assert target.authority == BUCKET
    assert {request.header("Host") for request in fake.seen} == {BUCKET}


def test_a_host_that_names_no_bucket_is_a_problem_where_no_job_tells_a_better_one() -> None:
    with FakeTarget("tencent-ci") as fake:
        target = fake.target(states=False)
        target.host = None
        found = examined(target)

    host = fake.url.removeprefix("http://")
    assert found.problem == f"the Host {host} of --base-url names no bucket; name yours with --host"


def test_operations_without_jobs_and_jobs_of_others_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "jobs.toml"
    path.write_text(
        '[otc-dli.cancelSqlJob]\nRUNNING = ["a-b"]\n[other-owner.otc-dli.cancelSqlJob]\n'
        f'project_id = "{OTHER_PROJECT}"\nFINISHED = ["c-d"]\n'
    )
    with FakeTarget() as fake:
        target = fake.target(keys=TOKEN_ALONE)
        target.states = read_jobs(path, "otc-dli", project_id=PROJECT)
        lines = examined(target).lines()

    assert "  jobs, cancelSqlJob: RUNNING" in lines
    assert "  jobs, cancelBatchJob: none" in lines
    assert "  jobs of another owner, cancelSqlJob: FINISHED" in lines
    assert "  jobs of another owner, cancelBatchJob: none" in lines


def test_a_403_that_ci_gives_to_an_unknown_job_is_not_taken_for_a_refusal() -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    reply = Reply(403, body, (("Content-Type", "application/xml"),))
    with FakeTarget("tencent-ci", always(reply)) as fake:
        found = examined(fake.target(states=False))

    assert found.problem == ""
    assert set(verdicts(found).values()) == {"unclear", "not tried"}


def test_a_server_that_hangs_up_on_strangers_is_reachable() -> None:
    def only_known(fake: FakeTarget, request: Seen) -> Reply | None:
        return None if request.header("X-Auth-Token") else Reply(0, raw=b"")

    with FakeTarget(script=only_known) as fake:
        found = examined(fake.target(keys=TOKEN_ALONE, states=False))

    assert (found.problem, found.reachable, found.accepted) == ("", True, ("token",))


def test_no_credential_at_all_is_a_problem() -> None:
    with FakeTarget() as fake:
        found = examined(fake.target(keys=Keys(project_id=PROJECT), states=False))

    assert found.problem.startswith("no credential that should be accepted: no provider states given")


def test_a_budget_that_does_not_even_cover_this_is_a_problem() -> None:
    with FakeTarget() as fake:
        found = examined(fake.target(pace=Pace(max_requests=2)))

    assert found.problem == "the budget of 2 requests is spent; --max-requests sets it"


NO_HTTP: list[tuple[str, Behaviour]] = [
    ("closed the connection without an answer", hostile.close_at_once),
    ("closed the connection without an answer", hostile.reset),
    ("no answer from", hostile.cut(b"SSH-2.0-OpenSSH_9.6\r\n")),
    ("no answer from", hostile.cut(b"\x15\x03\x01\x00\x02\x02\x50")),
    ("after 0.3 s", hostile.hang),
    ("after 0.3 s", hostile.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000, 0.05)),
]


@pytest.mark.parametrize(("words", "behaviour"), NO_HTTP)
def test_what_speaks_no_http_is_told_in_a_sentence(words: str, behaviour: Behaviour) -> None:
    with Listener(behaviour) as listener:
        found = examined(Target(APIS["otc-dli"], listener.url, TOKEN_ALONE, timeout=0.3))

    assert found.problem.startswith("the server accepts connections and gives no HTTP answer: ")
    assert words in found.problem
    assert not found.reachable


def test_where_nobody_listens_the_server_cannot_be_reached() -> None:
    for url in ("http://127.0.0.1:1", "http://no-such-host.invalid"):
        found = examined_at(url)
        assert found.problem.startswith(f"the server cannot be reached: no connection to {url}: ")
        assert found.lines()[1] == "  reachable: no"


STATES_PROBLEMS = [
    (Reply(200, b"<html>"), "expected 200 or 201 with a JSON object, got 200"),
    (Reply(200, b"{}"), "names no states for otc-dli"),
    (Reply(500, b'{"error": "down"}'), "expected 200 or 201 with a JSON object, got 500 down"),
    (Reply(0, raw=b"SSH-2.0\r\n"), "no answer from"),
]


@pytest.mark.parametrize(("reply", "words"), STATES_PROBLEMS, ids=lambda value: str(value)[:20])
def test_provider_states_that_answer_nonsense_are_told_in_a_sentence(reply: Reply, words: str) -> None:
    with FakeTarget(provided={"GET ": reply}) as fake:
        found = examined(fake.target())

    assert found.problem.startswith(f"the provider states cannot be used: GET {fake.states_url}")
    assert words in found.problem
    assert found.reachable


def test_provider_states_that_are_not_there_are_told_apart_from_the_server() -> None:
    with FakeTarget() as fake:
        target = given_target(
            ["otc-dli"],
            fake.url,
            provider_states="http://127.0.0.1:1",
            environment={"CALLOFF_TOKEN": TOKEN, "CALLOFF_PROJECT_ID": PROJECT},
        )
        found = examined(target)

    assert found.problem.startswith("the provider states cannot be used: no connection to http://127.0.0.1:1")
    assert found.reachable


def test_provider_states_that_cannot_are_no_problem() -> None:
    with FakeTarget(provided={"GET ": json_reply(501, {"error": "no database"})}) as fake:
        found = examined(fake.target(keys=TOKEN_ALONE))

    assert found.problem == ""
    assert any("no database" in line for line in found.lines())


def test_credentials_that_cannot_be_had_from_the_provider_states_are_told() -> None:
    with FakeTarget(provided={"POST /credentials": Reply(500)}) as fake:
        found = examined(fake.target(keys=TOKEN_ALONE))

    assert found.problem.startswith(f"the provider states cannot be used: POST {fake.states_url}/credentials")


def test_no_secret_is_shown_even_where_the_server_repeats_it() -> None:
    def echo(fake: FakeTarget, request: Seen) -> Reply:
        text = f"{request.header('X-Auth-Token')}{request.header('Authorization')}{SECRET_KEY}"
        return json_reply(401, {"error_code": text, "error_msg": text})

    with FakeTarget(script=echo) as fake:
        found = examined(fake.target(keys=Keys("KEYID", SECRET_KEY, SECURITY_TOKEN, TOKEN, PROJECT)))

    shown = "\n".join([*found.lines(), repr(found)])
    assert "refused the credentials in every way" in found.problem
    assert "planted" not in shown
    assert "Signature=" not in shown


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(*authorities: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata="")
    for one in authorities:
        one.configure_trust(context)
    return context


def tls_listener(authority: trustme.CA, *names: str) -> Listener:
    context = hostile.tls_server_context()
    authority.issue_cert(*names).configure_cert(context)
    return Listener(hostile.reply(401), tls=context)


@pytest.mark.parametrize(
    ("names", "trusted", "words"),
    [
        (["127.0.0.1"], False, "certificate verify failed: .*; name a private authority with --ca-file"),
        (["example.com"], True, "certificate verify failed: IP address mismatch"),
    ],
)
def test_a_certificate_that_is_not_good_is_told_in_a_sentence(
    authority: trustme.CA, names: list[str], trusted: bool, words: str
) -> None:
    with tls_listener(authority, *names) as listener:
        url = listener.url.replace("http:", "https:")
        found = examined_at(url, tls=trusting(authority if trusted else trustme.CA()))
        assert listener.requests == []

    assert found.problem.startswith(f"the server cannot be reached: no connection to {url}: ")
    assert re.search(words, found.problem)


def test_the_host_header_does_not_change_which_name_the_certificate_must_have(authority: trustme.CA) -> None:
    with tls_listener(authority, "127.0.0.1") as listener:
        url = listener.url.replace("http:", "https:") + "/gate/way/"
        found = examined_at(url, tls=trusting(authority), host="dli.eu-de.otc.t-systems.com")
        head = listener.requests[0]
        assert head.startswith(b"DELETE /gate/way/v2.0/")
        assert b"\r\nHost: dli.eu-de.otc.t-systems.com\r\n" in head

    assert found.reachable


def test_a_peer_that_speaks_no_tls_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_at_once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(65536)

        thread = threading.Thread(target=answer_at_once, daemon=True)
        thread.start()
        found = examined_at(f"https://127.0.0.1:{server.getsockname()[1]}", tls=trusting())
        thread.join(5)

    assert "it does not speak TLS as wanted (" in found.problem


def test_a_peer_that_never_ends_the_handshake_is_told_in_a_sentence() -> None:
    with Listener(hostile.hang) as listener:
        target = Target(APIS["otc-dli"], listener.url.replace("http:", "https:"), TOKEN_ALONE, timeout=0.3)
        assert "no TLS handshake in time" in examined(target).problem


# A live target


def test_a_server_with_a_private_authority_and_a_jobs_file_is_reached_like_a_vendors(tmp_path: Path) -> None:
    throttle = Disturbance(kind="throttle", rate=0.0, requests=2, retry_after=0)
    with run_embedded(["otc-dli"], tls=Tls(), disturbances=[throttle]) as server:
        announcement = server.announcement
        announced = announcement["apis"]["otc-dli"]
        environment = {name.upper(): value for name, value in announced["credentials"].items()}
        ca_file = announcement["ca_file"]
        (supplied,) = announced_targets(announcement, tls=ssl.create_default_context(cafile=ca_file))
        running = [supplied.new_job(SQL, "RUNNING").job_id for _ in range(3)]
        ended = supplied.new_job(SQL, "FINISHED").job_id
        (tmp_path / "jobs.toml").write_text(
            f"[otc-dli.cancelSqlJob]\nRUNNING = {running}\nFINISHED = ['{ended}']\n"
        )
        (tmp_path / "credentials.toml").write_text(
            "[otc-dli]\n" + "".join(f'{name} = "env:{name.upper()}"\n' for name in announced["credentials"])
        )
        target = given_target(
            ["otc-dli"],
            announced["base_url"],
            host="dli.eu-de.otc.t-systems.com",
            project_id=announced["project_id"],
            jobs=tmp_path / "jobs.toml",
            credentials=tmp_path / "credentials.toml",
            ca_file=ca_file,
            live=True,
            rate=1000,
            max_requests=50,
            environment=environment,
        )
        found = examine(target, CATALOGUE)
        probe = Session(target, CATALOGUE).probe(SQL, "table", "live")
        recipe = probe.session.default_recipe()
        answers = {}
        for state, spend in (("FINISHED", False), ("RUNNING", True), ("RUNNING", True)):
            job = target.new_job(SQL, state, spend=spend)
            answers[job.job_id] = probe.call(probe.request(job.parameters, job.host), recipe).accepted
        target.close()
        states = {job_id: supplied.state(SQL, job_id) for job_id in (*running, ended)}
        supplied.close()

    assert announced["base_url"].startswith("https://")
    assert found.problem == ""
    assert {"token", "signature over host and date"} <= set(found.accepted)
    assert (found.states, target.reads_state) == ({"cancelSqlJob": ("RUNNING", "FINISHED")}, False)
    assert answers == {ended: False, running[0]: True, running[1]: True}
    assert list(states.values()) == ["CANCELLED", "CANCELLED", "RUNNING", "FINISHED"]
    assert isinstance(next(requests(target, CATALOGUE))[1], Request)
