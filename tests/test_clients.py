"""What the clients make of an answer: an acceptance, or a typed error."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from typing import Any
from xml.sax.saxutils import escape

import hostile_server as hostile
import pytest
import trustme
from calloff_clients.huaweicloud_dli.models import SqlCancelResult as HuaweiSqlCancelResult
from calloff_clients.otc_dli.models import BatchCancelResult, SqlCancelResult
from hostile_server import Listener
from operations import (
    ACCESS_KEY,
    CASES,
    CI_AI,
    CI_BATCH,
    CI_CASES,
    DLI_CASES,
    HUAWEI_SQL,
    MODES,
    NOW,
    OTC_BATCH,
    OTC_SQL,
    TOKEN,
    TRANSPORTS,
    Case,
)
from test_apis import DESCRIBED, DOCUMENTS, _resolved

import calloff
from calloff import (
    AnswerTimeoutError,
    ApiError,
    AuthenticationError,
    CalloffError,
    CancelAccepted,
    PermissionDeniedError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnexpectedAnswerError,
)

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
both_ways = pytest.mark.parametrize("mode", MODES)
BY_KEY = {case.key: case for case in CASES}


def _answer(
    case: Case, mode: str, status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> CancelAccepted[Any]:
    with Listener(hostile.reply(status, body, headers)) as listener:
        try:
            return case.cancel(mode, listener.url)
        finally:
            assert len(listener.requests) == 1  # whatever comes, nothing is sent again


def _error(
    case: Case, mode: str, status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> ApiError:
    with pytest.raises(ApiError) as caught:
        _answer(case, mode, status, body, headers)
    assert caught.value.status == status
    return caught.value


# --- acceptances ---


@both_ways
@pytest.mark.parametrize("case", CI_CASES, ids=lambda case: case.key)
def test_an_empty_200_of_ci_is_an_acceptance(case: Case, mode: str) -> None:
    assert _answer(case, mode, 200, b"", {"x-ci-request-id": "r1"}) == CancelAccepted(
        case.key, case.job_id, "r1", 200, None
    )


@both_ways
@pytest.mark.parametrize(
    ("case", "model"),
    [
        (OTC_BATCH, BatchCancelResult(msg="deleted")),
        (OTC_SQL, SqlCancelResult(is_success=True, message="")),
        (HUAWEI_SQL, HuaweiSqlCancelResult(is_success=True, message="")),
    ],
    ids=lambda value: getattr(value, "key", ""),
)
def test_the_documented_200_of_dli_is_an_acceptance(case: Case, mode: str, model: Any) -> None:
    assert _answer(case, mode, 200, case.accepted, {"X-Request-Id": "r1"}) == CancelAccepted(
        case.key, case.job_id, "r1", 200, model
    )


@both_ways
@pytest.mark.parametrize("case", DLI_CASES, ids=lambda case: case.key)
def test_an_empty_200_of_dli_is_an_acceptance(case: Case, mode: str) -> None:
    accepted = _answer(case, mode, 200)

    assert accepted.answer is None
    assert accepted.request_id == ""


@pytest.mark.parametrize(
    ("case", "body"),
    [
        (OTC_SQL, b"{}"),
        (OTC_SQL, b'{"is_success": true}'),
        (OTC_SQL, b'{"is_success": true, "message": null, "new": [1]}'),
        (OTC_SQL, b'{"is_success": true, "error_code": null, "error_msg": ""}'),
        (OTC_SQL, b'\r\n {"message": ""} '),
        (OTC_BATCH, b"{}"),
        (OTC_BATCH, b'{"msg": null}'),
        # A create call is known to answer is_success false on success; the batch pages do not have the member.
        (OTC_BATCH, b'{"msg": "deleted", "is_success": false}'),
    ],
)
def test_members_of_a_200_are_not_mandatory_and_others_may_come(case: Case, body: bytes) -> None:
    assert _answer(case, "sync", 200, body).status == 200


# --- a 200 that is none ---


@pytest.mark.requirement("client-false-is-failure")
@both_ways
@pytest.mark.parametrize("case", [OTC_SQL, HUAWEI_SQL], ids=lambda case: case.key)
@pytest.mark.parametrize("value", ["false", '"false"', '"true"', "null", "0", "1", "[]", "{}"])
def test_a_200_whose_is_success_is_not_true_is_refused(case: Case, mode: str, value: str) -> None:
    body = f'{{"is_success": {value}, "message": "It cannot be cancelled."}}'.encode()
    error = _error(case, mode, 200, body, {"X-Request-Id": "r1"})

    assert type(error) is RefusedError
    assert (error.text, error.request_id) == ("It cannot be cancelled.", "r1")
    assert "is_success" in str(error)
    assert not error.retryable


@both_ways
@pytest.mark.parametrize("case", DLI_CASES, ids=lambda case: case.key)
def test_an_error_in_a_200_is_refused(case: Case, mode: str) -> None:
    error = _error(case, mode, 200, b'{"error_code": "DLI.0999", "error_msg": "m"}')

    assert type(error) is RefusedError
    assert (error.code, error.text, error.retryable) == ("DLI.0999", "m", True)


@both_ways
def test_a_batch_200_whose_msg_is_not_deleted_is_unexpected(mode: str) -> None:
    assert type(_error(OTC_BATCH, mode, 200, b'{"msg": "not found"}')) is UnexpectedAnswerError


HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"
NO_ANSWERS: dict[str, tuple[bytes, dict[str, str]]] = {
    "html": (HTML, {"Content-Type": "text/html"}),
    "text": (b"OK", {}),
    "list": (b"[]", {}),
    "null": (b"null", {}),
    "string": (b'"deleted"', {}),
    "number": (b"9" * 5000, {}),
    "cut": (b'{"is_success": true', {}),
    "two": (b'{"is_success": true}{"is_success": false}', {}),
    "deep list": (b"[" * 200_000, {}),
    "deep object": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {}),
    "said twice": (b'{"is_success": false, "is_success": true}', {}),
    "bad utf-8": (b'{"message": "\xff\xfe"}', {}),
    "utf-16 said, not sent": (b"\xff\xfe{", {"Content-Type": "application/json; charset=utf-16"}),
    "gzip said, not sent": (b'{"is_success": true}', {"Content-Encoding": "gzip"}),
    "blank": (b"  ", {}),
    "xml": (b"<Response/>", {}),
}


@both_ways
@pytest.mark.parametrize(("body", "headers"), NO_ANSWERS.values(), ids=NO_ANSWERS)
@every_case
def test_a_200_with_another_body_is_unexpected(
    case: Case, mode: str, body: bytes, headers: dict[str, str]
) -> None:
    error = _error(case, mode, 200, body, headers)

    assert type(error) is UnexpectedAnswerError
    assert "body is not the documented one" in str(error)


# --- errors ---

CLASSES = {
    400: RefusedError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: RefusedError,
    405: RefusedError,
    411: RefusedError,
    413: RefusedError,
    414: RefusedError,
    429: ThrottledError,
    451: RefusedError,
    494: RefusedError,
    500: ServerError,
    501: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
    301: UnexpectedAnswerError,
    307: UnexpectedAnswerError,
}
RETRYABLE = {429, 500, 502, 503, 504}


def _documented() -> list[Any]:
    """List every documented error with each of its examples."""
    cases = []
    for name, _, _, operation in DESCRIBED:
        key = f"{name}/{operation['operationId']}"
        for status, reference in operation["responses"].items():
            for media, content in _resolved(DOCUMENTS[name], reference).get("content", {}).items():
                for label, example in content["examples"].items():
                    value = _resolved(DOCUMENTS[name], example)["value"]
                    if status != "200":
                        cases.append(
                            pytest.param(key, int(status), media, value, id=f"{key}-{status}-{label}")
                        )
    return cases


@both_ways
@pytest.mark.parametrize(("key", "status", "media", "example"), _documented())
def test_every_documented_error_has_its_class_code_and_message(
    key: str, status: int, media: str, example: dict[str, str], mode: str
) -> None:
    if media == "application/xml":
        members = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in example.items())
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n{members}</Error>'.encode()
        code, text, identifier = example["Code"], example["Message"], example["RequestId"]
    else:
        body = json.dumps(example).encode()
        code, text, identifier = example["error_code"], example["error_msg"], example.get("request_id", "")

    error = _error(BY_KEY[key], mode, status, body, {"Content-Type": media})

    assert type(error) is CLASSES[status]
    assert (error.code, error.text, error.request_id) == (code, text, identifier)
    assert error.retryable == (status in RETRYABLE or code == "DLI.0999")
    assert code in str(error)
    assert str(status) in str(error)


def test_every_documented_status_is_tried_above() -> None:
    described = {
        (f"{name}/{operation['operationId']}", int(status))
        for name, _, _, operation in DESCRIBED
        for status in operation["responses"]
        if status != "200"
    }
    assert {(case.values[0], case.values[1]) for case in _documented()} == described


@both_ways
@pytest.mark.parametrize("status", [204, 201, 202, 206, 304, 402, 409, 418, 499, 505, 520, 599, 600, 999])
@every_case
def test_an_undocumented_status_is_unexpected(case: Case, mode: str, status: int) -> None:
    error = _error(case, mode, status)

    assert type(error) is UnexpectedAnswerError
    assert not error.retryable


BODIES: dict[str, bytes] = {
    "empty": b"",
    "html": HTML,
    "text": b"Bad gateway",
    "broken xml": b"<Error><Code>A</Code>",
    "other root": b"<Response><Code>A</Code></Response>",
    "dtd": b'<!DOCTYPE Error SYSTEM "http://127.0.0.1:1/e.dtd"><Error><Code>A</Code></Error>',
    "billion laughs": b'<?xml version="1.0"?><!DOCTYPE e [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a;" * 10) for n in range(9))
    + b"]><Error><Code>&a8;</Code></Error>",
    "entity": b'<!DOCTYPE e [<!ENTITY f SYSTEM "file:///etc/passwd">]><Error><Code>&f;</Code></Error>',
    "deep xml": b"<a>" * 100_000 + b"</a>" * 100_000,
    "unknown encoding": b'<?xml version="1.0" encoding="nonsense"?><Error><Code>A</Code></Error>',
    "multi-byte encoding": b'<?xml version="1.0" encoding="gbk"?><Error><Code>\xd6\xd0</Code></Error>',
    "bad utf-8 xml": b"<Error><Code>\xff</Code></Error>",
    "deep json": b"[" * 200_000,
    "list": b"[1]",
    "odd members": b'{"error_code": {"a": 1}, "error_msg": ["b"], "request_id": 1.5, "error": "c"}',
    "bad utf-8 json": b'{"error_code": "\xff"}',
}


@both_ways
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("case", [CI_AI, OTC_SQL], ids=lambda case: case.key)
def test_an_error_without_a_readable_body_keeps_its_class(case: Case, mode: str, body: bytes) -> None:
    error = _error(case, mode, 500, body, {"x-ci-request-id": "r1"})

    assert type(error) is ServerError
    assert (error.code, error.text, error.request_id) == ("", "", "r1")
    assert error.retryable


JSON_FORMS = [
    {"error_code": "C", "error_msg": "m", "request_id": "r"},
    {"errorCode": "C", "errorMsg": "m", "request_id": "r"},
    {"code": "C", "message": "m", "request_id": "r"},
    {"error": {"code": "C", "message": "m", "title": "t"}, "request_id": "r"},
    {"error_code": "C", "error_msg": "m", "request_id": "r", "error_json_opt": {"a": 1}},
]


@every_case
@pytest.mark.parametrize("form", JSON_FORMS)
def test_every_json_form_that_official_clients_read_is_read(case: Case, form: dict[str, Any]) -> None:
    error = _error(case, "sync", 400, json.dumps(form).encode())

    assert (type(error), error.code, error.text, error.request_id) == (RefusedError, "C", "m", "r")


def test_a_numeric_code_is_read_as_text() -> None:
    assert _error(OTC_SQL, "sync", 400, b'{"code": 1101}').code == "1101"


def test_xml_may_have_blanks_a_mark_of_order_and_unknown_members() -> None:
    body = (
        b"\xef\xbb\xbf<Error>\n <Code> A </Code>\n <Message>m</Message><Resource>x</Resource><New><Code>B</Code></New>"
        b"\n</Error>"
    )
    error = _error(CI_AI, "sync", 404, body)

    assert (error.code, error.text) == ("A", "m")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "SignatureDoesNotMatch", AuthenticationError),
        (403, "InvalidAccessKeyId", AuthenticationError),
        (403, "RequestTimeTooSkewed", AuthenticationError),
        (403, "Request has expired", AuthenticationError),
        (400, "ExpiredToken", AuthenticationError),
        (503, "SlowDown", ThrottledError),
        (403, "AccessDenied", PermissionDeniedError),
        (599, "SignatureDoesNotMatch", UnexpectedAnswerError),
    ],
)
def test_a_code_of_the_cos_table_decides_where_it_says_more(
    status: int, code: str, kind: type[ApiError]
) -> None:
    assert type(_error(CI_BATCH, "sync", status, f"<Error><Code>{code}</Code></Error>".encode())) is kind


@pytest.mark.parametrize(
    ("code", "retryable"),
    [("DLI.0999", True), ("DLI.0012", True), ("DLI.0019", True), ("DLI.0001", False), ("DLI.0007", False)],
)
def test_passing_troubles_that_dli_reports_with_400_are_retryable(code: str, retryable: bool) -> None:
    assert _error(OTC_SQL, "sync", 400, json.dumps({"error_code": code}).encode()).retryable is retryable


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Thu, 15 Jan 2026 09:30:30 GMT", 30.0),
        ("Thu, 15 Jan 2026 09:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("1e9", None),
        ("99999999999", None),
        ("", None),
        ("Thu, 15 Jan 99999 09:30:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds(value: str, seconds: float | None) -> None:
    assert _error(OTC_SQL, "sync", 429, b"", {"Retry-After": value}).retry_after == seconds


@pytest.mark.parametrize("name", ["x-ci-request-id", "X-Request-Id", "x-cos-request-id", "X-IAM-Trace-Id"])
def test_the_request_id_is_read_from_the_header_that_has_it(name: str) -> None:
    assert _error(OTC_SQL, "sync", 500, b"", {name: "r1"}).request_id == "r1"


def test_a_text_of_a_server_is_shown_on_one_line_and_not_for_ever() -> None:
    text = "a\nb\x1b[31mc\u202e" + "x" * 10_000
    error = _error(OTC_SQL, "sync", 400, json.dumps({"error_code": "C", "error_msg": text}).encode())

    assert str(error).isprintable()
    assert error.text.startswith("a\ufffdb\ufffd[31mc\ufffdxxx")
    assert len(str(error)) < 700


def test_an_error_travels_between_processes_whole() -> None:
    body = b'{"error_code": "C", "error_msg": "m", "request_id": "r"}'
    error = _error(OTC_SQL, "sync", 429, body, {"Retry-After": "7"})
    error.add_note("in the third batch")

    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - made here
        assert type(other) is ThrottledError
        assert (str(other), vars(other)) == (str(error), vars(error))


# --- the clients as objects ---


@every_case
def test_a_client_may_be_shared_by_threads(case: Case) -> None:
    problems: list[BaseException] = []

    def work(client: Any) -> None:
        try:
            for _ in range(10):
                getattr(client, case.method)(case.job_id)
        except BaseException as error:  # noqa: BLE001 - reported below
            problems.append(error)

    with Listener(hostile.reply(200, case.accepted)) as listener, case.make("sync", listener.url) as client:
        threads = [threading.Thread(target=work, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert problems == []
        assert len(listener.requests) == 80
        assert listener.connections <= 8


@both_ways
@every_case
def test_a_client_shows_its_host_and_no_secret(case: Case, mode: str) -> None:
    client = case.make(mode, None)

    assert type(client).__name__ in repr(client)
    assert case.arguments["region"] in repr(client)
    assert ACCESS_KEY.secret not in repr(client)


@both_ways
def test_one_call_may_have_a_timeout_of_its_own(mode: str) -> None:
    with Listener(hostile.hang) as listener, pytest.raises(AnswerTimeoutError):
        OTC_SQL.cancel(mode, listener.url, timeout=60.0, call={"timeout": 0.2})


@pytest.mark.parametrize("mode", TRANSPORTS)
def test_a_server_with_a_certificate_of_a_private_ca_is_served(mode: str, tmp_path: Any) -> None:
    authority = trustme.CA()
    context = hostile.tls_server_context()
    authority.issue_cert("localhost").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with Listener(hostile.reply(200, OTC_SQL.accepted), tls=context) as listener:
        url = f"https://localhost:{listener.port}"
        assert OTC_SQL.cancel(mode, url, TOKEN, verify=bundle, times=2).status == 200
        assert (len(listener.requests), listener.connections) == (2, 1)

        with pytest.raises(CalloffError, match="nothing was sent"):
            OTC_SQL.cancel(mode, url, TOKEN)  # not trusted without it
        with pytest.raises(CalloffError, match="nothing was sent"):
            OTC_SQL.cancel(mode, f"https://127.0.0.1:{listener.port}", TOKEN, verify=bundle)  # another name
        assert len(listener.requests) == 2


def test_the_clock_is_read_for_each_signature() -> None:
    moments = iter([NOW, NOW + 60])
    with Listener(hostile.reply(200, OTC_SQL.accepted)) as listener:
        OTC_SQL.cancel("sync", listener.url, times=2, clock=lambda: next(moments))

        dates = [request.partition(b"X-Sdk-Date: ")[2][:16] for request in listener.requests]
    assert dates == [b"20260115T093000Z", b"20260115T093100Z"]


def test_a_misspelt_option_is_named_with_those_that_exist() -> None:
    with pytest.raises(TypeError, match=r"no option 'timout'; there are: .*timeout"):
        calloff.OtcDliClient(
            region="eu-de",
            project_id="0" * 32,
            credentials=calloff.Token("test-word"),
            timout=3,  # type: ignore[call-arg]
        )
