"""Secrets planted in every place that can hold one, looked for in every place that is shown."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator
from typing import Any

import hostile_server as hostile
import pytest
from hostile_server import Behaviour, Listener
from operations import (
    ACCESS_KEY,
    CASES,
    MODES,
    OTC_SQL,
    READING_CASES,
    SECRETS,
    TEMPORARY_KEY,
    TOKEN,
    Case,
    iam_user,
)

from calloff import CalloffError, CredentialError

SIGNATURE = re.compile(r"(q-signature|Signature)=[0-9a-f]+")


def _echo(listener: Listener, connection: Any) -> None:
    """Answer with an error whose every part repeats the request, as a gateway's debugging text does."""
    request = listener.requests[-1].decode("latin-1")
    head, _, body = request.partition("\r\n\r\n")
    headers = dict(line.partition(": ")[::2] for line in head.split("\r\n")[1:])
    text = f"{request} {' '.join(headers.values())} {body}"
    status = 403
    answer = json.dumps({"error_code": text, "error_msg": text, "request_id": text}).encode()
    if request.startswith("PUT"):
        escaped = text.replace("&", "&amp;")
        answer = f"<Error><Code>{escaped}</Code><Message>{escaped}</Message></Error>".encode()
    connection.sendall(hostile.message(status, answer, {"X-Echo": text.replace("\r\n", " ")}))


ENDINGS: dict[str, Behaviour] = {
    "echo": _echo,
    "closes": hostile.close_at_once,
    "hangs": hostile.hang,
    "redirects": hostile.reply(307, headers={"Location": "http://127.0.0.1:1/"}),
    "html": hostile.reply(200, b"<html>"),
    "empty 500": hostile.reply(500),
}


def _texts(error: BaseException, seen: set[int]) -> Iterator[str]:
    """Yield all that anybody may print of an error, its causes and contexts included."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield from (repr(error), str(error), repr(error.args), repr(vars(error)))
    yield "".join(traceback.format_exception(error))
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield from _texts(other, seen)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize(
    ("case", "kind"),
    [
        (case, kind)
        for case in [*CASES, *READING_CASES]
        for kind in [
            "access key",
            "temporary key",
            *([] if case.client == "TencentCiClient" else ["token", "user"]),
        ]
    ],
    ids=lambda value: getattr(value, "key", value),
)
def test_no_secret_is_shown_anywhere(
    case: Case,
    kind: str,
    ending: Behaviour,
    mode: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    token = json.dumps({"token": {"expires_at": "2026-01-16T09:30:00Z"}}).encode()
    granted = hostile.reply(201, token, {"X-Subject-Token": "planted-fetched-token"})
    with Listener(ending) as service, Listener(granted) as iam:
        credentials = {
            "access key": ACCESS_KEY,
            "temporary key": TEMPORARY_KEY,
            "token": TOKEN,
            "user": iam_user(iam.url),
        }[kind]
        with pytest.raises(CalloffError) as caught:
            case.cancel(mode, service.url, credentials, timeout=0.4 if ending is hostile.hang else 20.0)
        assert service.requests  # the secret did leave, to the one server that was meant

    shown = [*_texts(caught.value, set()), caplog.text, *capfd.readouterr()]
    for text in shown:
        assert not [secret for secret in SECRETS if secret in text]
        assert not SIGNATURE.search(text)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "body", [b'{"token": {"expires_at": "planted-password"}}', b"{planted-password", b"\xffplanted-password"]
)
def test_no_error_hangs_on_to_an_answer_of_iam(mode: str, body: bytes) -> None:
    with (
        Listener() as service,
        Listener(hostile.reply(201, body, {"X-Subject-Token": "t"})) as iam,
        pytest.raises(CredentialError) as caught,
    ):
        OTC_SQL.cancel(mode, service.url, iam_user(iam.url))

    assert caught.value.__context__ is None
    assert not [secret for text in _texts(caught.value, set()) for secret in SECRETS if secret in text]


@pytest.mark.parametrize("mode", MODES)
def test_an_acceptance_that_echoes_a_secret_does_not_show_it(mode: str) -> None:
    new = {TOKEN.value: [{"deep": TOKEN.value}]}
    body = json.dumps({"is_success": True, "message": f"for {TOKEN.value}", "new": new}).encode()
    with Listener(hostile.reply(200, body, {"X-Request-Id": TOKEN.value})) as service:
        accepted = OTC_SQL.cancel(mode, service.url, TOKEN)

    assert accepted.request_id == "***"
    assert "for ***" in repr(accepted)
    assert TOKEN.value not in repr(accepted)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize(
    "writing", ["%s", "\\u00%02x%s", "\u00e9%s"], ids=["plain", "escaped", "beside others"]
)
def test_a_secret_in_an_acceptance_is_found_in_every_writing(writing: str, encoding: str) -> None:
    first = ord(TOKEN.value[0])
    text = writing.replace("%02x%s", f"{first:02x}{TOKEN.value[1:]}").replace("%s", TOKEN.value)
    body = f'{{"is_success": true, "message": "for {text}"}}'.encode(encoding)
    with Listener(hostile.reply(200, body)) as service:
        answer: Any = OTC_SQL.cancel("sync", service.url, TOKEN).answer

    assert answer.message.startswith("for ")
    assert answer.message.endswith("***")


def test_an_acceptance_of_any_depth_is_an_acceptance() -> None:
    body = b'{"is_success": true, "deep": ' + b"[" * 500 + b'"planted-iam-token"' + b"]" * 500 + b"}"
    with Listener(hostile.reply(200, body)) as service:
        accepted = OTC_SQL.cancel("sync", service.url, TOKEN)

    assert TOKEN.value not in repr(accepted)
