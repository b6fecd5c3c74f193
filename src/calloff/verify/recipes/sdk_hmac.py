"""The recipes of DLI: SDK-HMAC-SHA256 with lasting and temporary keys, and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calloff.signing import sdk_hmac
from calloff.verify.recipes.draft import WRONG_SECRET, Draft, Recipe, authorized, flip_digit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from calloff.verify.wire import Request


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
        return authorized(dated, _h(dated, secret=secret, key_id=key_id, headers=headers))

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
    return authorized(full, _h(full, headers=names))


def _hmac_altered(draft: Draft, change: Callable[[str], str]) -> Request:
    dated = _dated(draft)
    head, _, signature = _h(dated).rpartition("Signature=")
    return authorized(dated, f"{head}Signature={change(signature)}")


def _hmac_signed_for(**changes: object) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft)
        return authorized(dated, _h(dated, signed=dated.having(**changes)))

    return build


def _hmac_other_job(draft: Draft) -> Request:
    dated = _dated(draft)
    return authorized(dated, _h(dated, signed=dated.having(target=draft.other_target)))


def _hmac_query_added(draft: Draft) -> Request:
    dated = _dated(draft)
    target = dated.request.target
    return authorized(dated.having(target=target + ("&" if "?" in target else "?") + "added=1"), _h(dated))


def _hmac_body_added(draft: Draft) -> Request:
    dated = _dated(draft)
    body = b'{"added": true}'
    headers = tuple(
        (key, str(len(body)) if key == "Content-Length" else value) for key, value in dated.request.headers
    )
    if not any(key == "Content-Length" for key, _ in headers):
        headers = (*headers, ("Content-Length", str(len(body))))
    return authorized(dated.having(headers=headers, body=body), _h(dated))


def _hmac_header_changed(draft: Draft) -> Request:
    dated = _dated(draft)
    names = ("host", "x-sdk-date", "x-suite")
    return authorized(
        dated.plus(("X-Suite", "changed")), _h(dated, signed=dated.plus(("X-Suite", "signed")), headers=names)
    )


def _hmac_header_absent(draft: Draft) -> Request:
    dated = _dated(draft)
    return authorized(
        dated, _h(dated, signed=dated.plus(("X-Suite", "signed")), headers=("host", "x-sdk-date", "x-suite"))
    )


_HOST_OF_ANOTHER = "dli.captured.example.com"


def _hmac_other_host(draft: Draft) -> Request:
    dated = _dated(draft)
    return authorized(dated, _h(dated, signed=dated.with_host(_HOST_OF_ANOTHER)))


def _hmac_host_forwarded(draft: Draft) -> Request:
    # A proxy may tell in this header which Host came; a client must not be believed.
    dated = _dated(draft)
    sent = dated.plus(("X-Forwarded-Host", _HOST_OF_ANOTHER))
    return authorized(sent, _h(dated, signed=dated.with_host(_HOST_OF_ANOTHER)))


def _hmac_headers_swapped(draft: Draft) -> Request:
    dated = _dated(draft)
    signed = dated.plus(("X-Suite-A", "one"), ("X-Suite-B", "two"))
    sent = dated.plus(("X-Suite-A", "two"), ("X-Suite-B", "one"))
    return authorized(
        sent, _h(dated, signed=signed, headers=("host", "x-sdk-date", "x-suite-a", "x-suite-b"))
    )


def _hmac_stale(offset: float) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft, offset)
        return authorized(dated, _h(dated))

    return build


def _hmac_date_moved(draft: Draft) -> Request:
    # The date is renewed after signing, as a thief of an old signature would.
    return authorized(_dated(draft), _h(_dated(draft, -7200), signed=_dated(draft, -7200)))


def _hmac_date_not_signed(draft: Draft) -> Request:
    # Stage by stage, since the signer itself refuses to leave the date out.
    dated = _dated(draft)
    canonical = sdk_hmac.canonical_request(dated.signable(), signed_headers=("host",))
    text = sdk_hmac.string_to_sign(canonical, date=sdk_hmac.format_date(draft.now))
    signature = sdk_hmac.signature(draft.keys.secret_key, text)
    return authorized(
        dated, f"SDK-HMAC-SHA256 Access={draft.keys.key_id}, SignedHeaders=host, Signature={signature}"
    )


def _hmac_date_absent(draft: Draft) -> Request:
    return authorized(draft, _h(_dated(draft), headers=("host", "x-sdk-date")))


def _hmac_token(*, signed: bool, token: str | None = None) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft)
        value = draft.keys.security_token if token is None else token
        full = dated.plus(("X-Security-Token", value))
        if signed:
            return authorized(full, _h(full, headers=("host", "x-sdk-date", "x-security-token")))
        return authorized(full, _h(dated))

    return build


def _hmac_with_project_header(draft: Draft) -> Request:
    full = _dated(draft).plus(("X-Project-Id", "0" * 32))
    return authorized(full, _h(full, headers=("host", "x-project-id", "x-sdk-date")))


def _hmac_of_another_algorithm(draft: Draft) -> Request:
    dated = _dated(draft)
    return authorized(dated, _h(dated).replace("SDK-HMAC-SHA256", "SDK-HMAC-SHA1", 1))


def _hmac_part(drop: str) -> Callable[[Draft], Request]:
    def build(draft: Draft) -> Request:
        dated = _dated(draft)
        algorithm, _, rest = _h(dated).partition(" ")
        kept = ", ".join(part for part in rest.split(", ") if not part.startswith(drop + "="))
        return authorized(dated, f"{algorithm} {kept}")

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
        lambda d: authorized(_dated(d), "Bearer none"),
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
        _hmac_with(key_id="UNKNOWNTOEVERYSERVER", secret=WRONG_SECRET),
    ),
    Recipe(
        "wrong secret",
        "good",
        "dli-auth-wrong-key",
        False,
        _hmac_with(secret=WRONG_SECRET),
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
            ("with another first digit", lambda s: flip_digit(s, 0)),
            ("with another last digit", lambda s: flip_digit(s, len(s) - 1)),
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
        "signed for another host, forwarded",
        "good",
        "dli-auth-covers-signed-header",
        False,
        _hmac_host_forwarded,
        True,
    ),
    Recipe(
        "signed headers swapped", "good", "dli-auth-covers-signed-header", False, _hmac_headers_swapped, True
    ),
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
