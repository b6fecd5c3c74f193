"""Each rule on the form of an answer, on answers written by hand: one that keeps it, and ones that break it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

from calloff.apis import APIS, OPERATIONS
from calloff.verify.judge import RULES, Answer, Document
from calloff.verify.redact import Redactor
from calloff.verify.wire import Request, Response

REQUEST = Request("DELETE", "/", (("Host", "h"),))
AI, BATCH, SQL = "tencent-ci/cancelAiJob", "otc-dli/cancelBatchJob", "otc-dli/cancelSqlJob"
IDS = (("x-ci-request-id", "NWQ="), ("server", "tencent-ci"))
TRACE = (("x-ci-trace-id", "T1"),)
XML = (*IDS, *TRACE, ("content-type", "application/xml"))
JSON = (("content-type", "application/json"),)
ERROR = "<Error><Code>{}</Code><Message>m</Message><RequestId>NWQ=</RequestId><TraceId>T1</TraceId></Error>"
GATEWAY = {"error_code": "APIGW.0301", "error_msg": "m", "request_id": "0123456789abcdef0123456789ABCDEF"}


@cache
def document(api: str) -> Document:
    return Document(APIS[api])  # type: ignore[index]


def answer(
    key: str, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes | str = b""
) -> Answer:
    written = body.encode() if isinstance(body, str) else body
    return Answer(
        document(key.partition("/")[0]), OPERATIONS[key], REQUEST, Response(status, headers, written)
    )


def ci(
    status: int = 200, headers: tuple[tuple[str, str], ...] = (*IDS, ("content-length", "0")), body: str = ""
) -> Answer:
    return answer(AI, status, headers, body)


def dli(status: int, content: object, headers: tuple[tuple[str, str], ...] = JSON, key: str = SQL) -> Answer:
    return answer(key, status, headers, json.dumps(content))


def asked(
    request: Request, status: int, headers: tuple[tuple[str, str], ...] = (), body: str = "", key: str = AI
) -> Answer:
    """Give an answer to a request of its own."""
    return replace(answer(key, status, headers, body), request=request)


INJECTING = "/ai_jobs/b%0D%0Ax-calloff-injected%3A%20yes?cancel"
AUTHORIZATION = f"q-ak=AKID&q-sign-time=1;2&q-signature={'0' * 40}"
SIGNED = Request("PUT", "/ai_jobs/b?cancel", (("Authorization", AUTHORIZATION),))
WORD = "a-word-for-a-token"
TRACES = (
    'Traceback (most recent call last):\n  File "a.py", line 1',
    "java.lang.NullPointerException\n\tat com.example.Jobs.find(Jobs.java:41)",
    "TypeError: x\n    at find (/srv/jobs.js:4:11)",
    "panic: x\n\ngoroutine 1 [running]:",
    "#0 /srv/jobs.php(41): find()",
    "   at Jobs.Find() in /srv/Jobs.cs:line 41",
)


def verdict(requirement: str, about: Answer) -> str:
    (rule,) = [rule for rule in RULES if rule.requirement == requirement]
    if not rule.concerns(about):
        return "no concern"
    broken = rule.broken(about)
    assert broken is None or all(broken), "both what was expected and what came are said"
    return "held" if broken is None else "broken"


HELD = [
    ("status-documented", ci()),
    ("status-documented", dli(400, {})),
    ("no-server-fault", ci()),
    ("ci-request-id", ci()),
    ("ci-trace-id-on-failure", ci()),
    ("ci-trace-id-on-failure", ci(400, XML)),
    ("ci-server-header", ci()),
    ("ci-success-is-empty", ci()),
    ("ci-error-is-xml", ci(400, XML, ERROR.format("InvalidArgument"))),
    ("ci-error-is-xml", ci(400, XML, '<?xml version="1.0"?>\n' + ERROR.format("SomethingNew"))),
    ("ci-error-is-xml", ci(499, XML, ERROR.format("InvalidArgument"))),
    ("ci-error-ids-agree", ci(400, XML, ERROR.format("InvalidArgument"))),
    ("ci-error-code-has-its-status", ci(401, XML, ERROR.format("MissingAuthorization"))),
    ("ci-error-code-has-its-status", ci(418, XML, ERROR.format("SomethingNew"))),
    ("dli-success-is-json", answer(SQL, 200)),
    ("dli-success-is-json", dli(200, {"is_success": True, "message": ""})),
    ("dli-success-is-json", dli(200, {})),
    ("dli-success-is-json", dli(200, {"msg": "deleted"}, key=BATCH)),
    ("dli-success-is-json", dli(200, {}, (("content-type", "application/json;charset=UTF-8"),))),
    ("dli-batch-deleted", dli(200, {"msg": "deleted"}, key=BATCH)),
    ("dli-error-is-json", dli(400, {"error_code": "DLI.0001", "error_msg": "m"})),
    ("dli-error-code-has-its-status", dli(400, {"error_code": "DLI.0001", "error_msg": "m"})),
    ("dli-error-code-has-its-status", dli(418, {"error_code": "DLI.9999", "error_msg": "m"})),
    ("dli-gateway-request-id", dli(401, GATEWAY)),
    ("dli-body-agrees-with-status", dli(200, {"is_success": True, "error_code": ""})),
    ("dli-body-agrees-with-status", dli(200, {"is_success": False, "error_code": "DLI.0007"})),
    ("dli-body-agrees-with-status", dli(400, {"is_success": False, "error_code": "DLI.0007"})),
    ("answer-text-decodes", dli(400, {"error_msg": "\N{SECTION SIGN}"})),
    ("answer-text-decodes", ci(400, XML, ERROR.format("C\N{SECTION SIGN}"))),
    ("answer-text-decodes", answer(AI, 400, XML, b"\xa7")),
    (
        "answer-text-decodes",
        answer(AI, 400, (("content-type", "application/xml; charset=GBK"),), b"\xa1\xec"),
    ),
    ("no-header-injection", asked(Request("PUT", INJECTING, ()), 400, (("x-job-id", "b"),))),
    ("secrets-not-echoed", asked(SIGNED, 401, (), "<Message>key AKID, time 1;2</Message>")),
    ("secrets-not-echoed", asked(Request("PUT", "/", (("X-Auth-Token", "short"),)), 401, (), "short")),
    ("no-internals-shown", dli(500, {"error_msg": "look at line 7 of the File, at noon"})),
]

BROKEN = [
    ("status-documented", ci(418)),
    ("status-documented", ci(202)),
    ("status-documented", dli(409, {})),
    ("no-server-fault", ci(500)),
    ("no-server-fault", dli(503, {})),
    ("ci-request-id", ci(200, (("server", "tencent-ci"),))),
    ("ci-request-id", ci(200, (("x-ci-request-id", ""),))),
    ("ci-trace-id-on-failure", ci(200, (*IDS, *TRACE))),
    ("ci-trace-id-on-failure", ci(400, IDS)),
    ("ci-trace-id-on-failure", ci(400, (*IDS, ("x-ci-trace-id", "")))),
    ("ci-server-header", ci(200, (("server", "tencent-cos"),))),
    ("ci-server-header", ci(200, ())),
    ("ci-success-is-empty", ci(200, (*IDS, ("content-length", "2")), "ok")),
    ("ci-success-is-empty", ci(200, (*IDS, ("transfer-encoding", "chunked")))),
    ("ci-error-is-xml", ci(400, IDS, ERROR.format("InvalidArgument"))),
    ("ci-error-is-xml", ci(400, (*IDS, ("content-type", "text/html")), ERROR.format("InvalidArgument"))),
    ("ci-error-is-xml", ci(400, XML, "")),
    ("ci-error-is-xml", ci(400, XML, "<Error><Code>InvalidArgument</Code>")),
    ("ci-error-is-xml", ci(400, XML, "<Response>" + ERROR.format("InvalidArgument") + "</Response>")),
    ("ci-error-is-xml", ci(400, XML, ERROR.format("InvalidArgument").replace("Error>", "Fault>"))),
    ("ci-error-is-xml", ci(400, XML, ERROR.format(""))),
    ("ci-error-is-xml", ci(400, XML, ERROR.format("<b>InvalidArgument</b>"))),
    ("ci-error-is-xml", ci(400, XML, ERROR.format("C").replace("<TraceId>T1</TraceId>", ""))),
    ("ci-error-is-xml", ci(400, XML, "<!DOCTYPE Error [<!ENTITY a 'b'>]>" + ERROR.format("&a;"))),
    ("ci-error-is-xml", ci(400, XML, '<?xml version="1.0" encoding="no-such-one"?>' + ERROR.format("C"))),
    ("ci-error-is-xml", ci(400, XML, "<a>" * 100_000)),
    ("ci-error-ids-agree", ci(400, XML, ERROR.format("C").replace("NWQ=", "other"))),
    ("ci-error-ids-agree", ci(400, XML, ERROR.format("C").replace("T1", "T2"))),
    ("ci-error-code-has-its-status", ci(400, XML, ERROR.format("MissingAuthorization"))),
    ("dli-success-is-json", answer(SQL, 200, (("content-type", "text/html"),), "{}")),
    ("dli-success-is-json", answer(SQL, 200, (), "{}")),
    ("dli-success-is-json", answer(SQL, 200, JSON, "{")),
    ("dli-success-is-json", answer(SQL, 200, JSON, b"\xff")),
    ("dli-success-is-json", answer(SQL, 200, JSON, "[" * 100_000)),
    ("dli-success-is-json", dli(200, [])),
    ("dli-success-is-json", dli(200, {"is_success": "true"})),
    ("dli-success-is-json", dli(200, {"message": 1})),
    ("dli-success-is-json", dli(200, {"msg": None}, key=BATCH)),
    ("dli-batch-deleted", dli(200, {"msg": "done"}, key=BATCH)),
    ("dli-error-is-json", dli(400, {"error_msg": "m"})),
    ("dli-error-is-json", dli(400, {"error_code": "DLI.0001"})),
    ("dli-error-is-json", dli(400, {"error_code": 1, "error_msg": "m"})),
    ("dli-error-is-json", dli(400, ["error_code", "error_msg"])),
    ("dli-error-is-json", dli(400, {"error_code": "DLI.0001", "error_msg": "m"}, ())),
    ("dli-error-is-json", answer(SQL, 400, JSON, "<html>")),
    ("dli-error-is-json", answer(SQL, 500, (("content-type", "text/html"),), "<html>")),
    ("dli-error-code-has-its-status", dli(404, {"error_code": "DLI.0001", "error_msg": "m"})),
    ("dli-error-code-has-its-status", dli(403, GATEWAY)),
    ("dli-gateway-request-id", dli(401, GATEWAY | {"request_id": "0123"})),
    ("dli-gateway-request-id", dli(401, GATEWAY | {"request_id": None})),
    ("dli-gateway-request-id", dli(401, GATEWAY | {"request_id": "g" * 32})),
    ("dli-gateway-request-id", dli(401, {"error_code": "APIG.0301", "error_msg": "m"})),
    ("dli-body-agrees-with-status", dli(200, {"error_code": "DLI.0999"})),
    ("dli-body-agrees-with-status", dli(400, {"is_success": True})),
    ("dli-body-agrees-with-status", dli(400, {"msg": "deleted"}, key=BATCH)),
    ("answer-text-decodes", answer(SQL, 400, JSON, '{"error_msg": "m"}'.encode("utf-16"))),
    ("answer-text-decodes", answer(SQL, 400, JSON, b'{"error_msg": "\xa7"}')),
    (
        "answer-text-decodes",
        answer(AI, 400, (("content-type", 'text/xml; Charset="us-ascii"'),), b"\xc2\xa7"),
    ),
    ("answer-text-decodes", answer(AI, 400, (("content-type", "application/xml;charset=none"),), b"a")),
    ("no-header-injection", asked(Request("PUT", INJECTING, ()), 400, (("x-calloff-injected", "yes"),))),
    ("secrets-not-echoed", asked(SIGNED, 401, (), f"<Message>expected {'0' * 39}1</Message>")),
    ("secrets-not-echoed", asked(SIGNED, 401, (("x-was", AUTHORIZATION),))),
    ("secrets-not-echoed", asked(SIGNED, 401, (), AUTHORIZATION.replace("&", "&amp;"))),
    ("secrets-not-echoed", asked(Request("PUT", f"/a?{AUTHORIZATION}", ()), 403, (), f"/a?{AUTHORIZATION}")),
    ("secrets-not-echoed", asked(Request("PUT", "/", (("X-Auth-Token", WORD),)), 401, (), f"no {WORD}")),
    *(("no-internals-shown", dli(500, {"error_msg": trace})) for trace in TRACES),
    ("no-internals-shown", ci(500, XML, TRACES[0])),
]

HEAD = Request("HEAD", "/", (("Host", "h"),))
GET = Request("GET", "/ai_jobs/a", (("Host", "h"),))
DESCRIBED = "<Response><JobsDetail><State>Running</State></JobsDetail></Response>"
UNCONCERNED = [
    ("ci-error-is-xml", asked(HEAD, 404, IDS)),
    ("ci-success-is-empty", asked(HEAD, 200, (("content-length", "7"),))),
    ("ci-success-is-empty", asked(GET, 200, (*IDS, ("content-type", "application/xml")), DESCRIBED)),
    ("dli-error-is-json", asked(HEAD, 404, JSON, key=SQL)),
    ("dli-body-agrees-with-status", dli(200, [])),
    ("answer-text-decodes", ci()),
    ("no-header-injection", ci(400, (*IDS, ("x-calloff-injected", "yes")))),
    ("ci-success-is-empty", ci(400, XML)),
    ("ci-error-is-xml", ci()),
    ("ci-error-ids-agree", ci(400, XML, "no XML")),
    ("ci-error-code-has-its-status", ci(400, XML, "no XML")),
    ("dli-success-is-json", dli(400, {})),
    ("dli-batch-deleted", dli(200, {}, key=BATCH)),
    ("dli-batch-deleted", dli(200, ["msg"], key=BATCH)),
    ("dli-error-is-json", dli(200, {})),
    ("dli-error-code-has-its-status", dli(400, {"error_code": 1})),
    ("dli-gateway-request-id", dli(400, {"error_code": "DLI.0001"})),
]


@pytest.mark.parametrize(("requirement", "about"), HELD)
def test_a_right_answer_keeps(requirement: str, about: Answer) -> None:
    assert verdict(requirement, about) == "held"


@pytest.mark.parametrize(("requirement", "about"), BROKEN)
def test_a_wrong_answer_breaks(requirement: str, about: Answer) -> None:
    assert verdict(requirement, about) == "broken"


@pytest.mark.parametrize(("requirement", "about"), UNCONCERNED)
def test_an_answer_does_not_concern(requirement: str, about: Answer) -> None:
    assert verdict(requirement, about) == "no concern"


def test_every_rule_is_tried_both_ways() -> None:
    rules = {rule.requirement for rule in RULES}

    assert rules == {requirement for requirement, _ in HELD} == {requirement for requirement, _ in BROKEN}


def test_the_samples_of_the_vendors_keep_every_rule() -> None:
    inventory = answer("tencent-ci/cancelInventoryTriggerJob", 200, (*IDS, ("content-length", "0")))
    samples = [
        inventory,
        ci(),
        dli(200, {"msg": "deleted"}, key=BATCH),
        dli(200, {"is_success": True, "message": ""}),
    ]
    for sample in samples:
        family = "ci-" if sample.is_ci else "dli-"
        for rule in RULES:
            if not rule.requirement.startswith({"ci-": "dli-", "dli-": "ci-"}[family]) and rule.concerns(
                sample
            ):
                assert rule.broken(sample) is None, rule.requirement


@pytest.mark.parametrize(
    ("about", "accepted"),
    [
        (ci(), True),
        (ci(204), False),
        (ci(400, XML), False),
        (dli(200, {"is_success": True}), True),
        (dli(200, {}), True),
        (answer(SQL, 200), True),
        (dli(200, {"is_success": False}), False),
        (dli(200, {"is_success": 0}), True),
        (dli(400, {"is_success": True}), False),
        (answer(AI, 200, (), '{"is_success": false}'), True),
    ],
)
def test_only_a_200_that_says_nothing_else_is_an_acceptance(about: Answer, accepted: bool) -> None:
    assert about.accepted is accepted


@pytest.mark.parametrize(
    ("about", "code"),
    [
        (ci(400, XML, ERROR.format("InvalidArgument")), "InvalidArgument"),
        (ci(400, XML, "no XML"), ""),
        (dli(400, {"error_code": "DLI.0001"}), "DLI.0001"),
        (dli(400, {"error_code": ["DLI.0001"]}), ""),
        (dli(400, ["DLI.0001"]), ""),
    ],
)
def test_the_error_code_is_read(about: Answer, code: str) -> None:
    assert about.error_code == code


def test_a_summary_is_short_and_says_where_it_was_cut() -> None:
    assert ci().summary == "200"
    assert answer(SQL, 400, (), "x" * 301).summary == "400 " + "x" * 300 + "…"


def test_what_is_expected_of_a_body_does_not_repeat_the_body() -> None:
    rule = next(rule for rule in RULES if rule.requirement == "dli-success-is-json")
    expected = {rule.broken(dli(200, {"is_success": wrong}))[0] for wrong in ("a", "b", "c" * 100_000)}  # type: ignore[index]

    assert expected == {"a body as documented: is_success of type boolean"}


@pytest.mark.parametrize("lead", [80, 90, 96])
def test_a_secret_in_a_body_that_should_be_empty_does_not_survive_where_it_is_cut(lead: int) -> None:
    rule = next(rule for rule in RULES if rule.requirement == "ci-success-is-empty")
    broken = rule.broken(ci(200, IDS, "x" * lead + WORD))

    assert broken is not None
    assert "x" * lead in broken[1]
    assert "a-word" not in Redactor([WORD]).text(broken[1])
