"""The ways to authenticate a request, rightly and wrongly, as one table per signature algorithm.

A recipe turns a draft (the request without any credential) into the request that is sent. A wrong one signs
something else than it sends: that is what a server must notice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from calloff.signing import qsign, sdk_hmac
from calloff.signing.request import SignableRequest
from calloff.verify.wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from calloff.verify.target import Keys

# Wide enough for a slow run, short enough that "expired" needs no waiting; both ends lie in the past or future of now.
_VALID_FROM = -60
_VALID_UNTIL = 900


@dataclass(frozen=True, slots=True)
class Draft:
    """A request before it is authenticated, with the keys and the time (epoch seconds) to do it."""

    request: Request
    keys: Keys
    now: float
    other_target: str

    def signable(self) -> SignableRequest:
        """Return what the signers take."""
        request = self.request
        return SignableRequest(request.method, request.target, request.headers, request.body)

    def plus(self, *headers: tuple[str, str]) -> Draft:
        """Return the draft with *headers* added."""
        return replace(self, request=replace(self.request, headers=(*self.request.headers, *headers)))

    def having(self, **changes: object) -> Draft:
        """Return the draft with the request changed."""
        return replace(self, request=replace(self.request, **changes))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to authenticate.

    *credentials* is the kind of the provider states it needs (``none`` for none), *requirement* what an answer
    to it proves, *accepted* whether a correct server takes it (None where the vendor is silent),
    *counts_as_failure* whether a gateway counts it against the key, *point* the silent point that it shows.
    """

    name: str
    credentials: str
    requirement: str
    accepted: bool | None
    build: Callable[[Draft], Request]
    counts_as_failure: bool = False
    point: str = ""


# ------------------------------------------------------------------ q-sign (tencent-ci)


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


def _sent(draft: Draft, authorization: str) -> Request:
    return draft.plus(("Authorization", authorization)).request


def _fields(authorization: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in authorization.split("&"))


def _with_field(authorization: str, **changes: str) -> str:
    fields = _fields(authorization) | {key.replace("_", "-"): value for key, value in changes.items()}
    return "&".join(f"{key}={value}" for key, value in fields.items())


def _without_field(authorization: str, name: str) -> str:
    return "&".join(part for part in authorization.split("&") if not part.startswith(name + "="))


def _flip(text: str, index: int) -> str:
    """Change one hexadecimal digit."""
    digit = "0" if text[index] != "0" else "1"
    return text[:index] + digit + text[index + 1 :]


def _q_altered(draft: Draft, change: Callable[[str], str]) -> Request:
    authorization = _q(draft)
    return _sent(draft, _with_field(authorization, q_signature=change(_fields(authorization)["q-signature"])))


def _q_with_token(name: str, *, signed: bool, token: str | None = None) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        value = draft.keys.security_token if token is None else token
        full = draft.plus((name, value))
        if signed:
            return _sent(full, _q(full, headers=("host", name)))
        return _sent(full, _q(draft))

    return build


def _q_in_query(draft: Draft) -> Request:
    separator = "&" if "?" in draft.request.target else "?"
    target = draft.request.target + separator + qsign.query_fields(_q(draft))
    return replace(draft.request, target=target)


def _q_signing_nothing(draft: Draft) -> Request:
    return _sent(draft, _q(draft, headers=(), parameters=()))


def _q_header_changed(draft: Draft) -> Request:
    signed = draft.plus(("x-ci-suite", "signed"))
    sent = draft.plus(("x-ci-suite", "changed"))
    return _sent(sent, _q(draft, signed=signed, headers=("host", "x-ci-suite")))


def _q_header_absent(draft: Draft) -> Request:
    signed = draft.plus(("x-ci-suite", "signed"))
    return _sent(draft, _q(draft, signed=signed, headers=("host", "x-ci-suite")))


def _q_parameter_absent(draft: Draft) -> Request:
    target = draft.request.target
    signed = draft.having(target=target + ("&" if "?" in target else "?") + "x-suite=1")
    return _sent(
        draft, _q(draft, signed=signed, parameters=("cancel", "x-suite") if "?" in target else ("x-suite",))
    )


def _q_parameter_changed(draft: Draft) -> Request:
    target = draft.request.target
    extended = target + ("&" if "?" in target else "?")
    listed = ("cancel", "x-suite") if "?" in target else ("x-suite",)
    signed, sent = draft.having(target=extended + "x-suite=1"), draft.having(target=extended + "x-suite=2")
    return _sent(sent, _q(draft, signed=signed, parameters=listed))


def _q_host_of_another(draft: Draft) -> Request:
    # The signature covers the Host of another bucket: a captured one must not work here.
    headers = tuple(
        (key, "captured-1250000001." + value.partition(".")[2] if key == "Host" else value)
        for key, value in draft.request.headers
    )
    return _sent(draft, _q(draft, signed=draft.having(headers=headers)))


def _q_later_end(draft: Draft) -> Request:
    # Only the shown period is moved, as a thief of an old signature would.
    authorization = _q(draft, start=-7200, end=-3600)
    period = f"{int(draft.now) - 60};{int(draft.now) + 900}"
    return _sent(draft, _with_field(authorization, q_sign_time=period, q_key_time=period))


def _q_without_parameters(draft: Draft) -> Request:
    """Sign what the official Python client signs."""
    return _sent(draft, _q(draft, headers=("content-length", "host"), parameters=()))


_WRONG_SECRET = "another-than-the-right-one"  # noqa: S105 - a test word  # pragma: allowlist secret

CI_RECIPES: tuple[Recipe, ...] = (
    Recipe("q-sign host and cancel", "good", "cancel-accepted", True, lambda d: _sent(d, _q(d))),
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
        lambda d: _sent(d, _q(d, headers=("content-length", "host"))),
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
    Recipe("another scheme", "none", "ci-auth-malformed", False, lambda d: _sent(d, "Bearer none")),
    Recipe(
        "no signature field",
        "good",
        "ci-auth-malformed",
        False,
        lambda d: _sent(d, _without_field(_q(d), "q-signature")),
        counts_as_failure=True,
    ),
    Recipe(
        "another algorithm",
        "good",
        "ci-auth-malformed",
        False,
        lambda d: _sent(d, _with_field(_q(d), q_sign_algorithm="md5")),
        counts_as_failure=True,
    ),
    Recipe(
        "unknown key id",
        "none",
        "ci-auth-unknown-key",
        False,
        lambda d: _sent(d, _q(d, key_id="AKIDUNKNOWNTOEVERYSERVER", secret=_WRONG_SECRET)),
    ),
    Recipe(
        "wrong secret",
        "good",
        "ci-auth-wrong-key",
        False,
        lambda d: _sent(d, _q(d, secret=_WRONG_SECRET)),
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
            ("with another first digit", lambda s: _flip(s, 0)),
            ("with another last digit", lambda s: _flip(s, len(s) - 1)),
        )
    ),
    Recipe(
        "expired",
        "good",
        "ci-auth-expired",
        False,
        lambda d: _sent(d, _q(d, start=-7200, end=-3600)),
        counts_as_failure=True,
    ),
    Recipe(
        "signed for another job",
        "good",
        "ci-auth-covers-path",
        False,
        lambda d: _sent(d, _q(d, signed=d.having(target=d.other_target))),
        counts_as_failure=True,
    ),
    Recipe(
        "signed for GET",
        "good",
        "ci-auth-covers-method",
        False,
        lambda d: _sent(d, _q(d, signed=d.having(method="GET"))),
        counts_as_failure=True,
    ),
    Recipe(
        "signed for another host", "good", "ci-auth-covers-signed-header", False, _q_host_of_another, True
    ),
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
        lambda d: _sent(d, _q(d)),
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
        lambda d: _sent(d, _q(d)),
        point="ci-foreign-bucket",
    ),
    Recipe(
        "valid from an hour ahead",
        "good",
        "status-documented",
        None,
        lambda d: _sent(d, _q(d, start=3600, end=7200)),
        counts_as_failure=True,
        point="ci-future-start",
    ),
)


# ------------------------------------------------------------------ SDK-HMAC-SHA256 and tokens (DLI)


def _dated(draft: Draft, offset: float = 0) -> Draft:
    return draft.plus(("X-Sdk-Date", sdk_hmac.format_date(draft.now + offset)))


def _h(
    draft: Draft,
    *,
    signed: Draft | None = None,
    secret: str | None = None,
    key_id: str | None = None,
    headers: Sequence[str] = ("host", "x-sdk-date"),
) -> str:
    return sdk_hmac.sign(
        (signed or draft).signable(),
        access_key=draft.keys.key_id if key_id is None else key_id,
        secret_key=draft.keys.secret_key if secret is None else secret,
        signed_headers=headers,
    )


def _hmac_with(
    *, secret: str | None = None, key_id: str | None = None, headers: Sequence[str] = ("host", "x-sdk-date")
) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft)
        return _sent(dated, _h(dated, secret=secret, key_id=key_id, headers=headers))

    return build


_hmac = _hmac_with()


def _hmac_all(draft: Draft) -> Request:
    """Sign what the official Python client signs."""
    full = _dated(draft).plus(("X-Project-Id", draft.keys.project_id))
    names = [
        name
        for name in ("content-type", "host", "user-agent", "x-project-id", "x-sdk-date")
        if full.request.header(name)
    ]
    return _sent(full, _h(full, headers=names))


def _hmac_altered(draft: Draft, change: Callable[[str], str]) -> Request:
    dated = _dated(draft)
    head, _, signature = _h(dated).rpartition("Signature=")
    return _sent(dated, f"{head}Signature={change(signature)}")


def _hmac_signed_for(**changes: object) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft)
        return _sent(dated, _h(dated, signed=dated.having(**changes)))

    return build


def _hmac_other_job(draft: Draft) -> Request:
    dated = _dated(draft)
    return _sent(dated, _h(dated, signed=dated.having(target=draft.other_target)))


def _hmac_query_added(draft: Draft) -> Request:
    dated = _dated(draft)
    target = dated.request.target
    return _sent(dated.having(target=target + ("&" if "?" in target else "?") + "added=1"), _h(dated))


def _hmac_body_added(draft: Draft) -> Request:
    dated = _dated(draft)
    body = b'{"added": true}'
    headers = tuple(
        (key, str(len(body)) if key == "Content-Length" else value) for key, value in dated.request.headers
    )
    if not any(key == "Content-Length" for key, _ in headers):
        headers = (*headers, ("Content-Length", str(len(body))))
    return _sent(dated.having(headers=headers, body=body), _h(dated))


def _hmac_header_changed(draft: Draft) -> Request:
    dated = _dated(draft)
    names = ("host", "x-sdk-date", "x-suite")
    return _sent(
        dated.plus(("X-Suite", "changed")), _h(dated, signed=dated.plus(("X-Suite", "signed")), headers=names)
    )


def _hmac_header_absent(draft: Draft) -> Request:
    dated = _dated(draft)
    return _sent(
        dated, _h(dated, signed=dated.plus(("X-Suite", "signed")), headers=("host", "x-sdk-date", "x-suite"))
    )


def _hmac_other_host(draft: Draft) -> Request:
    dated = _dated(draft)
    headers = tuple(
        (key, "dli.captured.example.com" if key == "Host" else value) for key, value in dated.request.headers
    )
    return _sent(dated, _h(dated, signed=dated.having(headers=headers)))


def _hmac_stale(offset: float) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft, offset)
        return _sent(dated, _h(dated))

    return build


def _hmac_date_moved(draft: Draft) -> Request:
    # The date is renewed after signing, as a thief of an old signature would.
    return _sent(_dated(draft), _h(_dated(draft, -7200), signed=_dated(draft, -7200)))


def _hmac_date_not_signed(draft: Draft) -> Request:
    # Stage by stage, since the signer itself refuses to leave the date out.
    dated = _dated(draft)
    canonical = sdk_hmac.canonical_request(dated.signable(), signed_headers=("host",))
    text = sdk_hmac.string_to_sign(canonical, date=sdk_hmac.format_date(draft.now))
    signature = sdk_hmac.signature(draft.keys.secret_key, text)
    return _sent(
        dated, f"SDK-HMAC-SHA256 Access={draft.keys.key_id}, SignedHeaders=host, Signature={signature}"
    )


def _hmac_date_absent(draft: Draft) -> Request:
    return _sent(draft, _h(_dated(draft), headers=("host", "x-sdk-date")))


def _hmac_token(*, signed: bool, token: str | None = None) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft)
        value = draft.keys.security_token if token is None else token
        full = dated.plus(("X-Security-Token", value))
        if signed:
            return _sent(full, _h(full, headers=("host", "x-sdk-date", "x-security-token")))
        return _sent(full, _h(dated))

    return build


def _hmac_with_project_header(draft: Draft) -> Request:
    full = _dated(draft).plus(("X-Project-Id", "0" * 32))
    return _sent(full, _h(full, headers=("host", "x-project-id", "x-sdk-date")))


def _hmac_of_another_algorithm(draft: Draft) -> Request:
    dated = _dated(draft)
    return _sent(dated, _h(dated).replace("SDK-HMAC-SHA256", "SDK-HMAC-SHA1", 1))


def _hmac_part(drop: str) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft)
        algorithm, _, rest = _h(dated).partition(" ")
        kept = ", ".join(part for part in rest.split(", ") if not part.startswith(drop + "="))
        return _sent(dated, f"{algorithm} {kept}")

    return build


def _token(change: Callable[[str], str] = lambda value: value) -> Callable[[Draft], Request]:
    return lambda draft: draft.plus(("X-Auth-Token", change(draft.keys.token))).request


DLI_RECIPES: tuple[Recipe, ...] = (
    Recipe("token", "token", "dli-auth-token", True, _token()),
    Recipe("signature over host and date", "good", "dli-auth-signature", True, _hmac),
    Recipe(
        "signature over the date alone",
        "good",
        "dli-auth-signature",
        True,
        _hmac_with(headers=("x-sdk-date",)),
    ),
    Recipe("signature over every header", "good", "dli-auth-signature", True, _hmac_all),
    Recipe(
        "temporary key, token signed", "temporary", "dli-auth-temporary-key", True, _hmac_token(signed=True)
    ),
    Recipe(
        "temporary key, token not signed",
        "temporary",
        "dli-auth-temporary-key",
        True,
        _hmac_token(signed=False),
    ),
    Recipe("no credential", "none", "dli-auth-missing", False, lambda d: d.request),
    Recipe("empty token", "none", "dli-auth-token-garbage", False, _token(lambda _: "")),
    Recipe("made-up token", "none", "dli-auth-token-garbage", False, _token(lambda _: "MIIsuite-made-up")),
    Recipe("token cut short", "token", "dli-auth-token-garbage", False, _token(lambda value: value[:-1])),
    Recipe("token with one letter more", "token", "dli-auth-token-garbage", False, _token(lambda v: v + "x")),
    Recipe("expired token", "expired-token", "dli-auth-token-expired", False, _token()),
    Recipe(
        "token of another project",
        "other-owner-token",
        "dli-project-isolation",
        False,
        _token(),
        point="dli-foreign-project",
    ),
    Recipe("key of another project", "other-owner", "dli-project-isolation", False, _hmac),
    Recipe("no Signature part", "good", "dli-auth-signature-malformed", False, _hmac_part("Signature"), True),
    Recipe(
        "no SignedHeaders part",
        "good",
        "dli-auth-signature-malformed",
        False,
        _hmac_part("SignedHeaders"),
        True,
    ),
    Recipe("no Access part", "good", "dli-auth-signature-malformed", False, _hmac_part("Access")),
    Recipe(
        "another scheme",
        "none",
        "dli-auth-signature-malformed",
        False,
        lambda d: _sent(_dated(d), "Bearer none"),
    ),
    Recipe(
        "another algorithm",
        "good",
        "dli-auth-signature-malformed",
        False,
        _hmac_of_another_algorithm,
        counts_as_failure=True,
    ),
    Recipe(
        "signed X-Project-Id of another project",
        "good",
        "status-documented",
        None,
        _hmac_with_project_header,
        point="dli-project-header-mismatch",
    ),
    Recipe(
        "unknown access key",
        "none",
        "dli-auth-unknown-key",
        False,
        _hmac_with(key_id="UNKNOWNTOEVERYSERVER", secret=_WRONG_SECRET),
    ),
    Recipe(
        "wrong secret",
        "good",
        "dli-auth-wrong-key",
        False,
        _hmac_with(secret=_WRONG_SECRET),
        counts_as_failure=True,
    ),
    *(
        Recipe(
            f"signature {word}",
            "good",
            "dli-auth-whole-signature",
            False,
            lambda d, change=change: _hmac_altered(d, change),  # type: ignore[misc]
            counts_as_failure=True,
        )
        for word, change in (
            ("cut short", lambda s: s[:8]),
            ("lacking its last digit", lambda s: s[:-1]),
            ("empty", lambda _: ""),
            ("with another first digit", lambda s: _flip(s, 0)),
            ("with another last digit", lambda s: _flip(s, len(s) - 1)),
        )
    ),
    Recipe("date an hour old", "good", "dli-auth-stale-date", False, _hmac_stale(-3600), True),
    Recipe("date 16 minutes old", "good", "dli-auth-stale-date", False, _hmac_stale(-960), True),
    Recipe("date an hour ahead", "good", "dli-auth-stale-date", False, _hmac_stale(3600), True),
    Recipe(
        "date moved after signing", "good", "dli-auth-covers-signed-header", False, _hmac_date_moved, True
    ),
    Recipe("date not signed", "good", "dli-auth-date-signed", False, _hmac_date_not_signed, True),
    Recipe("date absent", "good", "dli-auth-date-signed", False, _hmac_date_absent, True),
    Recipe("signed for another job", "good", "dli-auth-covers-path", False, _hmac_other_job, True),
    Recipe("signed for GET", "good", "dli-auth-covers-method", False, _hmac_signed_for(method="GET"), True),
    Recipe("query added after signing", "good", "dli-auth-covers-query", False, _hmac_query_added, True),
    Recipe("body added after signing", "good", "dli-auth-covers-body", False, _hmac_body_added, True),
    Recipe("signed for another host", "good", "dli-auth-covers-signed-header", False, _hmac_other_host, True),
    Recipe(
        "signed header changed", "good", "dli-auth-covers-signed-header", False, _hmac_header_changed, True
    ),
    Recipe("signed header absent", "good", "dli-auth-covers-signed-header", False, _hmac_header_absent, True),
    Recipe(
        "temporary key without its token",
        "temporary",
        "dli-auth-temporary-key-needs-token",
        False,
        _hmac,
        counts_as_failure=True,
    ),
    Recipe(
        "temporary key with another token",
        "temporary",
        "dli-auth-temporary-key-needs-token",
        False,
        _hmac_token(signed=True, token="another-token"),  # noqa: S106 - a test word
        counts_as_failure=True,
    ),
    Recipe(
        "expired temporary key",
        "expired-temporary",
        "dli-auth-temporary-key-needs-token",
        False,
        _hmac_token(signed=True),
        counts_as_failure=True,
    ),
)

RECIPES: Mapping[str, tuple[Recipe, ...]] = {
    "tencent-ci": CI_RECIPES,
    "otc-dli": DLI_RECIPES,
    "huaweicloud-dli": DLI_RECIPES,
}
