"""The recipes of ``tencent-ci``: q-sign, in the header and in the query, with lasting and temporary keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from calloff.signing import qsign
from calloff.verify.recipes.draft import WRONG_SECRET, Draft, Recipe, authorized, flip_digit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from calloff.verify.wire import Request

# Wide enough for a slow run, short enough that "expired" needs no waiting; both ends lie in the past or future of now.
_VALID_FROM = -60
_VALID_UNTIL = 900


def _q(
    draft: Draft,
    *,
    signed: Draft | None = None,
    secret: str | None = None,
    key_id: str | None = None,
    start: int = _VALID_FROM,
    end: int = _VALID_UNTIL,
    headers: Sequence[str] = ("host",),
    parameters: Sequence[str] | None = None,
) -> str:
    source = signed or draft
    if parameters is None:
        parameters = _parameters(source.request.target)
    return qsign.sign(
        source.signable(),
        secret_id=draft.keys.key_id if key_id is None else key_id,
        secret_key=draft.keys.secret_key if secret is None else secret,
        start=int(draft.now) + start,
        end=int(draft.now) + end,
        signed_headers=headers,
        signed_parameters=parameters,
    )


def _parameters(target: str) -> list[str]:
    """Return the names that stand once in the query: a repeated one has no defined signature."""
    names = [unquote(pair.partition("=")[0]) for pair in target.partition("?")[2].split("&")]
    folded = Counter(name.lower() for name in names)
    return [name for name in names if name and folded[name.lower()] == 1]


def _fields(authorization: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in authorization.split("&"))


def _with_field(authorization: str, **changes: str) -> str:
    fields = _fields(authorization) | {key.replace("_", "-"): value for key, value in changes.items()}
    return "&".join(f"{key}={value}" for key, value in fields.items())


def _without_field(authorization: str, name: str) -> str:
    return "&".join(part for part in authorization.split("&") if not part.startswith(name + "="))


def _q_altered(draft: Draft, change: Callable[[str], str]) -> Request:
    authorization = _q(draft)
    return authorized(
        draft, _with_field(authorization, q_signature=change(_fields(authorization)["q-signature"]))
    )


def _q_with_token(name: str, *, signed: bool, token: str | None = None) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        value = draft.keys.security_token if token is None else token
        full = draft.plus((name, value))
        if signed:
            return authorized(full, _q(full, headers=("host", name)))
        return authorized(full, _q(draft))

    return build


def _q_in_query(draft: Draft) -> Request:
    separator = "&" if "?" in draft.request.target else "?"
    target = draft.request.target + separator + qsign.query_fields(_q(draft))
    return replace(draft.request, target=target)


def _q_signing_nothing(draft: Draft) -> Request:
    return authorized(draft, _q(draft, headers=(), parameters=()))


def _q_header_changed(draft: Draft) -> Request:
    signed = draft.plus(("x-ci-suite", "signed"))
    sent = draft.plus(("x-ci-suite", "changed"))
    return authorized(sent, _q(draft, signed=signed, headers=("host", "x-ci-suite")))


def _q_header_absent(draft: Draft) -> Request:
    signed = draft.plus(("x-ci-suite", "signed"))
    return authorized(draft, _q(draft, signed=signed, headers=("host", "x-ci-suite")))


def _q_parameter_absent(draft: Draft) -> Request:
    target = draft.request.target
    signed = draft.having(target=target + ("&" if "?" in target else "?") + "x-suite=1")
    return authorized(
        draft, _q(draft, signed=signed, parameters=("cancel", "x-suite") if "?" in target else ("x-suite",))
    )


def _q_parameter_changed(draft: Draft) -> Request:
    target = draft.request.target
    extended = target + ("&" if "?" in target else "?")
    listed = ("cancel", "x-suite") if "?" in target else ("x-suite",)
    signed, sent = draft.having(target=extended + "x-suite=1"), draft.having(target=extended + "x-suite=2")
    return authorized(sent, _q(draft, signed=signed, parameters=listed))


def _q_host_of_another(draft: Draft) -> Request:
    # The signature covers the Host of another bucket: a captured one must not work here.
    host = _host_of_another(draft)
    return authorized(draft, _q(draft, signed=draft.with_host(host)))


def _host_of_another(draft: Draft) -> str:
    return "captured-1250000001." + (draft.request.header("Host") or "").partition(".")[2]


def _q_host_forwarded(draft: Draft) -> Request:
    # A proxy may tell in this header which Host came; a client must not be believed.
    host = _host_of_another(draft)
    sent = draft.plus(("X-Forwarded-Host", host))
    return authorized(sent, _q(draft, signed=draft.with_host(host)))


def _q_headers_swapped(draft: Draft) -> Request:
    signed = draft.plus(("x-ci-suite-a", "one"), ("x-ci-suite-b", "two"))
    sent = draft.plus(("x-ci-suite-a", "two"), ("x-ci-suite-b", "one"))
    return authorized(sent, _q(draft, signed=signed, headers=("host", "x-ci-suite-a", "x-ci-suite-b")))


def _q_later_end(draft: Draft) -> Request:
    # Only the shown period is moved, as a thief of an old signature would.
    authorization = _q(draft, start=-7200, end=-3600)
    period = f"{int(draft.now) - 60};{int(draft.now) + 900}"
    return authorized(draft, _with_field(authorization, q_sign_time=period, q_key_time=period))


def _q_without_parameters(draft: Draft) -> Request:
    """Sign what the official Python client signs."""
    return authorized(draft, _q(draft, headers=("content-length", "host"), parameters=()))


CI_RECIPES: tuple[Recipe, ...] = (
    Recipe("q-sign host and cancel", "good", "cancel-accepted", True, lambda d: authorized(d, _q(d))),
    Recipe("q-sign nothing", "good", "ci-auth-client-chooses-what-is-signed", True, _q_signing_nothing),
    Recipe(
        "q-sign content-length and host",
        "good",
        "ci-auth-client-chooses-what-is-signed",
        True,
        _q_without_parameters,
    ),
    Recipe(
        "q-sign content-length, host and cancel",
        "good",
        "ci-auth-client-chooses-what-is-signed",
        True,
        lambda d: authorized(d, _q(d, headers=("content-length", "host"))),
    ),
    Recipe("q-sign in the query", "good", "ci-auth-query-form", True, _q_in_query),
    *(
        Recipe(
            f"temporary key, {name} {'signed' if signed else 'not signed'}",
            "temporary",
            "ci-auth-temporary-key",
            True,
            _q_with_token(name, signed=signed),
        )
        for name in ("x-ci-security-token", "x-cos-security-token")
        for signed in (True, False)
    ),
    Recipe(
        "no credential",
        "none",
        "ci-auth-missing",
        False,
        lambda d: d.request,
        point="ci-authentication-status",
    ),
    Recipe("another scheme", "none", "ci-auth-malformed", False, lambda d: authorized(d, "Bearer none")),
    Recipe(
        "no signature field",
        "good",
        "ci-auth-malformed",
        False,
        lambda d: authorized(d, _without_field(_q(d), "q-signature")),
        counts_as_failure=True,
    ),
    Recipe(
        "another algorithm",
        "good",
        "ci-auth-malformed",
        False,
        lambda d: authorized(d, _with_field(_q(d), q_sign_algorithm="md5")),
        counts_as_failure=True,
    ),
    Recipe(
        "unknown key id",
        "none",
        "ci-auth-unknown-key",
        False,
        lambda d: authorized(d, _q(d, key_id="AKIDUNKNOWNTOEVERYSERVER", secret=WRONG_SECRET)),
    ),
    Recipe(
        "wrong secret",
        "good",
        "ci-auth-wrong-key",
        False,
        lambda d: authorized(d, _q(d, secret=WRONG_SECRET)),
        counts_as_failure=True,
        point="ci-wrong-signature-code",
    ),
    *(
        Recipe(
            f"signature {word}",
            "good",
            "ci-auth-whole-signature",
            False,
            lambda d, change=change: _q_altered(d, change),  # type: ignore[misc]
            counts_as_failure=True,
        )
        for word, change in (
            ("cut short", lambda s: s[:8]),
            ("lacking its last digit", lambda s: s[:-1]),
            ("empty", lambda _: ""),
            ("with another first digit", lambda s: flip_digit(s, 0)),
            ("with another last digit", lambda s: flip_digit(s, len(s) - 1)),
        )
    ),
    Recipe(
        "expired",
        "good",
        "ci-auth-expired",
        False,
        lambda d: authorized(d, _q(d, start=-7200, end=-3600)),
        counts_as_failure=True,
    ),
    Recipe(
        "signed for another job",
        "good",
        "ci-auth-covers-path",
        False,
        lambda d: authorized(d, _q(d, signed=d.having(target=d.other_target))),
        counts_as_failure=True,
    ),
    Recipe(
        "signed for GET",
        "good",
        "ci-auth-covers-method",
        False,
        lambda d: authorized(d, _q(d, signed=d.having(method="GET"))),
        counts_as_failure=True,
    ),
    Recipe(
        "signed for another host", "good", "ci-auth-covers-signed-header", False, _q_host_of_another, True
    ),
    Recipe(
        "signed for another host, forwarded",
        "good",
        "ci-auth-covers-signed-header",
        False,
        _q_host_forwarded,
        True,
    ),
    Recipe("signed headers swapped", "good", "ci-auth-covers-signed-header", False, _q_headers_swapped, True),
    Recipe("signed header changed", "good", "ci-auth-covers-signed-header", False, _q_header_changed, True),
    Recipe("signed header absent", "good", "ci-auth-covers-signed-header", False, _q_header_absent, True),
    Recipe(
        "signed parameter changed",
        "good",
        "ci-auth-covers-signed-parameter",
        False,
        _q_parameter_changed,
        True,
    ),
    Recipe(
        "signed parameter absent", "good", "ci-auth-covers-signed-parameter", False, _q_parameter_absent, True
    ),
    Recipe("validity moved after signing", "good", "ci-auth-covers-key-time", False, _q_later_end, True),
    Recipe(
        "temporary key without its token",
        "temporary",
        "ci-auth-temporary-key-needs-token",
        False,
        lambda d: authorized(d, _q(d)),
        counts_as_failure=True,
    ),
    Recipe(
        "temporary key with another token",
        "temporary",
        "ci-auth-temporary-key-needs-token",
        False,
        _q_with_token("x-ci-security-token", signed=True, token="another-token"),  # noqa: S106 - a test word
        counts_as_failure=True,
    ),
    Recipe(
        "expired temporary key",
        "expired-temporary",
        "ci-auth-temporary-key-needs-token",
        False,
        _q_with_token("x-ci-security-token", signed=True),
        counts_as_failure=True,
    ),
    Recipe(
        "key of another owner",
        "other-owner",
        "ci-bucket-isolation",
        False,
        lambda d: authorized(d, _q(d)),
        point="ci-foreign-bucket",
    ),
    Recipe(
        "valid from an hour ahead",
        "good",
        "status-documented",
        None,
        lambda d: authorized(d, _q(d, start=3600, end=7200)),
        counts_as_failure=True,
        point="ci-future-start",
    ),
)
