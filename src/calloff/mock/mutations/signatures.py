"""Ways to bend the check of a signature."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

from calloff.mock.ci.verify import sign_with
from calloff.mock.keys import Key
from calloff.mock.pipeline import Case, Principal, Refusal, signature_matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.mutations.place import Bend, Place
    from calloff.mock.pipeline import Claim, Exchange, SignatureSteps, Steps


def signature(**exchanged: Any) -> Bend:
    """Exchange steps of the signature check for given ones."""
    return lambda steps, _place: replace(steps, signature=replace(steps.signature, **exchanged))


def instead(case: Case, make: Callable[[Exchange], Principal]) -> Bend:
    """Accept what is refused for a reason while authenticating."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def authenticate(inner: Steps, exchange: Exchange) -> Principal:
            try:
                return steps.authenticate(inner, exchange)
            except Refusal as refusal:
                if refusal.case is not case:
                    raise
                return make(exchange)

        return replace(steps, authenticate=authenticate)

    return bend


def owner_of_path(exchange: Exchange) -> Principal:
    """Take the request for one of the owner it names."""
    return Principal(exchange.owner)


def expired_temporary_key(steps: Steps, _place: Place) -> Steps:
    """Let a temporary key live on past its end."""

    def check(exchange: Exchange, claim: Claim, key: Key) -> None:
        try:
            steps.signature.check_security_token(exchange, claim, key)
        except Refusal as refusal:
            if refusal.case is not Case.AUTH_SECURITY_TOKEN_EXPIRED:
                raise

    return replace(steps, signature=replace(steps.signature, check_security_token=check))


def requiring(wanted: Callable[[Exchange, Claim], bool], case: Case) -> Bend:
    """Refuse signatures that are correct but lack something."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def read(exchange: Exchange) -> Claim:
            claim = steps.signature.read(exchange)
            if not wanted(exchange, claim):
                raise Refusal(case)
            return claim

        return replace(steps, signature=replace(steps.signature, read=read))

    return bend


def also_verifying(
    others: Callable[[SignatureSteps, Place, Exchange, Claim, Key], bool],
) -> Bend:
    """Accept what does not match, if it passes another look."""

    def bend(steps: Steps, place: Place) -> Steps:
        def verify(inner: SignatureSteps, exchange: Exchange, claim: Claim, key: Key) -> bool:
            try:
                if signature_matches(inner, exchange, claim, key):
                    return True
            except Refusal as refusal:
                if refusal.case is not Case.AUTH_WRONG_SIGNATURE:
                    raise
            return others(inner, place, exchange, claim, key)

        return replace(steps, signature=replace(steps.signature, verify=verify))

    return bend


def other_path(inner: SignatureSteps, place: Place, exchange: Exchange, claim: Claim, key: Key) -> bool:
    """Try the path of every other job the server knows."""
    own = exchange.job_id.encode()

    def matches(job_id: str, path: bytes) -> bool:
        moved = path.replace(own, job_id.encode())
        return signature_matches(replace(inner, path=lambda _e, _c: moved), exchange, claim, key)

    path = inner.path(exchange, claim)
    return any(matches(job.id, path) for job in place.state.jobs.all(place.operation.key))


def other_method(inner: SignatureSteps, _place: Place, exchange: Exchange, claim: Claim, key: Key) -> bool:
    """Try every other method."""
    lower = inner.method(exchange, claim).islower()

    def matches(name: bytes) -> bool:
        tried = name.lower() if lower else name
        return signature_matches(replace(inner, method=lambda _e, _c: tried), exchange, claim, key)

    return any(map(matches, (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS")))


_USUAL_HEADERS = {
    *("host", "content-length", "content-type", "user-agent", "accept"),
    *("x-ci-security-token", "x-cos-security-token"),
    *("x-sdk-date", "x-project-id", "x-security-token"),
}


def unusual_header(_i: SignatureSteps, _p: Place, _e: Exchange, claim: Claim, _k: Key) -> bool:
    """Give up on a signature that covers a header the vendor does not name."""
    return not set(claim.headers) <= _USUAL_HEADERS and looks_whole(claim.signature)


def unusual_parameter(_i: SignatureSteps, _p: Place, _e: Exchange, claim: Claim, _k: Key) -> bool:
    """Give up on a signature that covers another parameter than cancel."""
    return not set(claim.parameters) <= {"cancel"} and looks_whole(claim.signature)


def looks_whole(signature: str) -> bool:
    """Tell whether a text has the form of a signature."""
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", signature) is not None


def earlier_hour(inner: SignatureSteps, _p: Place, exchange: Exchange, claim: Claim, key: Key) -> bool:
    """Try every validity period of an hour that began in the two hours before."""
    http_string = b"\n".join(
        (
            inner.method(exchange, claim),
            inner.path(exchange, claim),
            inner.parameters(exchange, claim),
            inner.headers(exchange, claim),
            b"",
        )
    )
    now = int(exchange.now)
    for start in range(now, now - 2 * 3600 - 60, -1):
        period = f"{start};{start + 3600}"
        sign_key = hmac.digest(key.secret, period.encode(), "sha1").hex()
        if sign_with(sign_key, period, http_string) == claim.signature:
            return True
    return False


def absent_header(_i: SignatureSteps, _p: Place, exchange: Exchange, claim: Claim, _k: Key) -> bool:
    """Give up on a signature that lists a header which did not arrive."""
    return looks_whole(claim.signature) and any(not exchange.all(name.encode()) for name in claim.headers)


def without_query(inner: SignatureSteps, _p: Place, exchange: Exchange, claim: Claim, key: Key) -> bool:
    """Leave the query out of what is signed."""
    return signature_matches(replace(inner, parameters=lambda _e, _c: b""), exchange, claim, key)


def without_body(inner: SignatureSteps, _p: Place, exchange: Exchange, claim: Claim, key: Key) -> bool:
    """Take the body for empty."""
    empty = hashlib.sha256(b"").hexdigest().encode()
    return signature_matches(replace(inner, body=lambda _e, _c: (empty,)), exchange, claim, key)


def date_accepted(*, early: bool) -> Bend:
    """Accept dates outside the window, on one side of the clock."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def check_time(exchange: Exchange, claim: Claim) -> None:
            now = datetime.fromtimestamp(exchange.now, UTC).strftime("%Y%m%dT%H%M%SZ")
            if (claim.time < now) is not early:
                steps.signature.check_time(exchange, claim)

        return replace(steps, signature=replace(steps.signature, check_time=check_time))

    return bend


SECURITY_TOKENS = ("x-ci-security-token", "x-cos-security-token", "x-security-token")


def security_token_accepted(*, absent: bool) -> Bend:
    """Accept a temporary key without its token, or with another one."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def check(exchange: Exchange, claim: Claim, key: Key) -> None:
            try:
                steps.signature.check_security_token(exchange, claim, key)
            except Refusal as refusal:
                given = any(exchange.all(name.encode()) for name in SECURITY_TOKENS)
                if refusal.case is not Case.AUTH_SECURITY_TOKEN or given is absent:
                    raise

        return replace(steps, signature=replace(steps.signature, check_security_token=check))

    return bend


def security_token_signed(exchange: Exchange, claim: Claim) -> bool:
    """Tell whether the signature covers every security token in the headers."""
    return all(name in claim.headers for name in SECURITY_TOKENS if exchange.all(name.encode()))


def unknown_key_accepted(steps: Steps, _place: Place) -> Steps:
    """Take any key id for a key of the owner, and do not check its signature."""

    def find_key(exchange: Exchange, claim: Claim) -> Key:
        try:
            return steps.signature.find_key(exchange, claim)
        except Refusal:
            return Key("", b"", exchange.owner)

    def verify(inner: SignatureSteps, exchange: Exchange, claim: Claim, key: Key) -> bool:
        return not key.id or signature_matches(inner, exchange, claim, key)

    return replace(steps, signature=replace(steps.signature, find_key=find_key, verify=verify))


def other_algorithm_accepted(steps: Steps, _place: Place) -> Steps:
    """Overlook the name of the algorithm."""

    def read(exchange: Exchange) -> Claim:
        arrived = exchange.headers
        exchange.headers = [
            (name, _put_right(value) if name == b"authorization" else value) for name, value in arrived
        ]
        try:
            return steps.signature.read(exchange)
        finally:
            exchange.headers = arrived

    return replace(steps, signature=replace(steps.signature, read=read))


def _put_right(authorization: bytes) -> bytes:
    q_sign = re.sub(rb"^q-sign-algorithm=[^&]*", b"q-sign-algorithm=sha1", authorization)
    return re.sub(rb"^\S+ (?=Access=)", b"SDK-HMAC-SHA256 ", q_sign)


def all_but_last(expected: str, given: str) -> bool:
    """Compare two signatures but for the last digit."""
    return len(expected) == len(given) and expected[:-1] == given[:-1]


def forwarded_host(inner: SignatureSteps, _p: Place, exchange: Exchange, claim: Claim, key: Key) -> bool:
    """Believe what the client says in X-Forwarded-Host."""
    said = exchange.all(b"x-forwarded-host")
    arrived = exchange.headers
    exchange.headers = [(name, said[0] if said and name == b"host" else value) for name, value in arrived]
    try:
        return signature_matches(inner, exchange, claim, key)
    finally:
        exchange.headers = arrived


def values_swapped(inner: SignatureSteps, _p: Place, exchange: Exchange, claim: Claim, key: Key) -> bool:
    """Try the values of any two signed headers the other way round."""
    arrived = exchange.headers
    try:
        for one, other in combinations(claim.headers, 2):
            values = {name: exchange.all(name.encode()) for name in (one, other)}
            swapped = {one.encode(): values[other], other.encode(): values[one]}
            exchange.headers = [
                (name, swapped[name][0] if swapped.get(name) else value) for name, value in arrived
            ]
            if signature_matches(inner, exchange, claim, key):
                return True
            exchange.headers = arrived
    finally:
        exchange.headers = arrived
    return False
