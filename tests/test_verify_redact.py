"""Secrets are removed by the place they stand in, and by their value in every notation."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from report_support import SECRET, SECURITY, SIGNED_H, SIGNED_Q, TOKEN, request

from calloff.verify.outcome import Exchange, cut
from calloff.verify.redact import REDACTED, Redactor
from calloff.verify.wire import Response


def redactor() -> Redactor:
    return Redactor([SECRET, TOKEN, SECURITY, "abc"])


@pytest.mark.parametrize("secret", [SECRET, TOKEN, SECURITY])
@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda s: quote(s, safe=""),
        quote,
        lambda s: quote(quote(s, safe=""), safe=""),
        lambda s: re.sub("%..", lambda m: m[0].lower(), quote(s, safe="")),
        lambda s: json.dumps({"got": s}),
        lambda s: json.dumps({"got": s}).replace("/", "\\/"),
        lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"),
        lambda s: f"x{s}{s}y",
    ],
)
def test_a_secret_is_removed_in_every_notation(secret: str, write: Any) -> None:
    assert "planted" not in redactor().text(f"before {write(secret)} after")
    assert redactor().text(f"before {write(secret)} after").startswith("before ")


@pytest.mark.parametrize("lead", range(270, 301))
def test_a_secret_does_not_survive_where_a_text_was_cut(lead: int) -> None:
    shown = redactor().text(cut("x" * lead + TOKEN + " and more" * 50))

    # Of three letters no one learns a secret.
    assert "plan" not in shown


@pytest.mark.parametrize("lead", [3990, 3999, 4000])
def test_a_secret_does_not_survive_where_a_body_was_cut(lead: int) -> None:
    response = Response(400, (), b"x" * lead + TOKEN.encode() + b"y" * 5000)

    assert "plan" not in redactor().response(response)
    assert "characters more" in redactor().response(response)


@pytest.mark.parametrize("start", range(3860, 3900, 3))
@pytest.mark.parametrize("secret", [TOKEN, "d4" * 32])
def test_a_secret_does_not_survive_where_an_exchange_was_shortened(secret: str, start: int) -> None:
    body = b"x" * (start - 1) + b" " + secret.encode() + b"y" * 5000
    kept = Exchange(request(), Response(400, (), body)).shortened()
    shown = redactor().response(kept.response)

    assert kept.response is not None
    assert len(kept.response.body) < 4000
    assert shown.count("bytes more") == 1
    assert "characters more" not in shown
    for part in ("plan", "d4d4d4d4"):
        assert part not in shown


def test_a_short_exchange_is_kept_as_it_is() -> None:
    exchange = Exchange(request(), Response(400, (), b"x" * 3900))

    assert exchange.shortened() == exchange
    assert Exchange(request(), None).shortened() == Exchange(request(), None)


def test_a_secret_too_short_to_be_one_is_left_alone() -> None:
    assert redactor().text("the abc of it") == "the abc of it"


@pytest.mark.parametrize("value", [SIGNED_Q, SIGNED_H])
def test_of_a_signature_only_what_was_signed_stays(value: str) -> None:
    shown = redactor().request(request("c", ("Authorization", value)))

    assert "AKIDPLANTED" not in shown
    assert "a1a1" not in shown
    assert "b2b2" not in shown
    assert "host" in shown.splitlines()[-1]


def test_a_signature_in_the_query_is_removed() -> None:
    shown = redactor().request(
        request(target=f"/ai_jobs/j?cancel&{SIGNED_Q}&x-ci-security-token=planted-elsewhere")
    )

    assert shown.splitlines()[0] == (
        f"DELETE /ai_jobs/j?cancel&q-sign-algorithm=sha1&q-ak={REDACTED}&q-sign-time=1;2&q-header-list=host"
        f"&q-signature={REDACTED}&x-ci-security-token={REDACTED} HTTP/1.1"
    )


@pytest.mark.parametrize("times", [1, 2])
def test_a_signature_in_one_parameter_of_the_query_is_removed(times: int) -> None:
    encoded = SIGNED_Q
    for _ in range(times):
        encoded = quote(encoded, safe="")
    shown = redactor().request(request(target=f"/ai_jobs/j?cancel&sign={encoded}&x-suite=1"))

    assert "AKIDPLANTED" not in shown
    assert "a1a1" not in shown
    assert "q-header-list" in shown
    assert "&x-suite=1 HTTP/1.1" in shown


@pytest.mark.parametrize(
    "name",
    [
        "X-Auth-Token",
        "x-security-token",
        "X-Ci-Security-Token",
        "x-cos-security-token",
        "X-Subject-Token",
        "Cookie",
        "Set-Cookie",
        "authorization",
    ],
)
def test_a_header_that_holds_a_secret_is_never_shown(name: str) -> None:
    response = Response(200, ((name, "planted-by=another"),), b"")

    assert redactor().response(response) == f"HTTP/1.1 200\n{name}: {REDACTED}"
    assert "planted" not in redactor().request(request("c", (name, "Bearer planted==")))


@pytest.mark.parametrize("digits", ["a1" * 20, "A1" * 32, "a1" * 19 + "a", "a1" * 31 + "a"])
def test_a_signature_that_a_server_shows_without_its_name_is_removed(digits: str) -> None:
    assert redactor().text(f'"expected": "{digits}"') == f'"expected": "{REDACTED}"'


@pytest.mark.parametrize(
    "kept",
    ["0123456789abcdef" * 2, "b" + "3d" * 16, "48cc2c48-765f-4814-80c7-db940d6409d1"],
)
def test_ids_stay_readable(kept: str) -> None:
    assert redactor().text(f"job {kept}") == f"job {kept}"
