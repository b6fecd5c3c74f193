"""Ways to bend the steps of the correct server: what the table of mutants is made of."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from calloff.mock.ci.verify import sign_with
from calloff.mock.jobs import Job, Lifecycle
from calloff.mock.keys import Key
from calloff.mock.pipeline import Answer, Case, Principal, Refusal, Steps, signature_matches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from calloff.apis import Operation
    from calloff.mock.app import ApiApp
    from calloff.mock.pipeline import Claim, Exchange, SignatureSteps
    from calloff.mock.state import ServerState

    Route = Callable[[Exchange], Operation]
    Around = Callable[[ApiApp, Exchange], Awaitable[Answer]]
    Bend = Callable[[Steps, "Place"], Steps]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mutant works: one operation of one server."""

    state: ServerState
    operation: Operation


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


def query_checked(step: Callable[[Steps, Exchange], None]) -> Bend:
    """Exchange the check of the query."""

    def bend(steps: Steps, _place: Place) -> Steps:
        return replace(steps, check_request=lambda exchange: step(steps, exchange))

    return bend


def cancel_not_needed(steps: Steps, exchange: Exchange) -> None:
    """Do without the parameter."""
    try:
        steps.check_request(exchange)
    except Refusal as refusal:
        if refusal.case is not Case.CANCEL_MISSING:
            raise


def refusing_query(piece: bytes) -> Callable[[Steps, Exchange], None]:
    """Refuse one way to write the parameter."""

    def step(steps: Steps, exchange: Exchange) -> None:
        if piece in exchange.query.split(b"&"):
            raise Refusal(Case.CANCEL_VALUED)
        steps.check_request(exchange)

    return step


def content_type_refused(steps: Steps, exchange: Exchange) -> None:
    """Refuse a Content-Type where there is no body."""
    if exchange.all(b"content-type") and not exchange.body:
        raise Refusal(Case.CONTENT_TYPE_MISSING)
    steps.check_request(exchange)


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


def accepted_by_token(check: Callable[[ServerState, bytes], bool]) -> Bend:
    """Accept tokens nobody gave out, for whatever project the path names."""

    def bend(steps: Steps, place: Place) -> Steps:
        def authenticate(inner: Steps, exchange: Exchange) -> Principal:
            try:
                return steps.authenticate(inner, exchange)
            except Refusal as refusal:
                value = exchange.one(b"x-auth-token")
                if refusal.case is not Case.TOKEN_UNKNOWN or value is None or not check(place.state, value):
                    raise
                return Principal(exchange.owner)

        return replace(steps, authenticate=authenticate)

    return bend


def any_token(_state: ServerState, _value: bytes) -> bool:
    """Take anything for a token."""
    return True


def token_beginning(state: ServerState, value: bytes) -> bool:
    """Take a text that begins like a token for the token."""
    return any(len(value) >= 20 and value[:20] == token.value[:20].encode() for token in state.tokens.all())


def tokens_refused(steps: Steps, _place: Place) -> Steps:
    """Refuse every token."""

    def authenticate(inner: Steps, exchange: Exchange) -> Principal:
        if exchange.all(b"x-auth-token"):
            raise Refusal(Case.TOKEN_UNKNOWN)
        return steps.authenticate(inner, exchange)

    return replace(steps, authenticate=authenticate)


def all_but_last(expected: str, given: str) -> bool:
    """Compare two signatures but for the last digit."""
    return len(expected) == len(given) and expected[:-1] == given[:-1]


def everybody_allowed(steps: Steps, _place: Place) -> Steps:
    """Let any credential work on anybody's jobs."""
    return replace(steps, authorise=lambda _exchange: None)


def found(search: Callable[[Place, Exchange], Job | None]) -> Bend:
    """Look once more for a job that was not found, whatever the form of the id."""

    def bend(steps: Steps, place: Place) -> Steps:
        def check_id(exchange: Exchange) -> None:
            if search(place, exchange) is None:
                steps.check_id(exchange)

        def find(exchange: Exchange) -> Job:
            try:
                return steps.find(exchange)
            except Refusal:
                job = search(place, exchange)
                if job is None:
                    raise
                return job

        return replace(steps, check_id=check_id, find=find)

    return bend


def stray_job(place: Place, exchange: Exchange) -> Job:
    """Make a job that no store knows, in a state that can be cancelled."""
    lifecycle = place.state.kinds[place.operation.key].lifecycle
    first = next(iter(lifecycle.cancel_moves))
    return Job(exchange.job_id, place.operation.key, exchange.owner, lifecycle, first)


def malformed_accepted(steps: Steps, place: Place) -> Steps:
    """Take an id of any form, and a malformed one for a job."""

    def find(exchange: Exchange) -> Job:
        try:
            steps.check_id(exchange)
        except Refusal:
            return stray_job(place, exchange)
        return steps.find(exchange)

    return replace(steps, check_id=lambda _exchange: None, find=find)


def unknown_accepted(steps: Steps, place: Place) -> Steps:
    """Take an id that names no job for a job."""

    def find(exchange: Exchange) -> Job:
        try:
            return steps.find(exchange)
        except Refusal:
            return stray_job(place, exchange)

    return replace(steps, find=find)


def by_beginning(place: Place, exchange: Exchange) -> Job | None:
    """Find the job whose id begins as the given one."""
    given = exchange.job_id
    return _first(job for job in same_owner(place, exchange) if len(given) > 7 and job.id.startswith(given))


def by_end(place: Place, exchange: Exchange) -> Job | None:
    """Find the job whose id ends as the given one."""
    given = exchange.job_id
    return _first(job for job in same_owner(place, exchange) if len(given) > 7 and job.id.endswith(given))


def by_more(place: Place, exchange: Exchange) -> Job | None:
    """Find the job whose id the given one begins with."""
    return _first(job for job in same_owner(place, exchange) if exchange.job_id.startswith(job.id))


def by_any_owner(place: Place, exchange: Exchange) -> Job | None:
    """Find the job of anybody."""
    jobs = place.state.jobs.all(place.operation.key)
    return _first(job for job in jobs if job.id == exchange.job_id)


def _first(jobs: Iterable[Job]) -> Job | None:
    return next(iter(jobs), None)


def same_owner(place: Place, exchange: Exchange) -> list[Job]:
    """List the jobs of the operation and the owner that a request names."""
    return [job for job in place.state.jobs.all(place.operation.key) if job.owner == exchange.owner]


def cancelling(cancel: Callable[[Steps, Place, Exchange], None]) -> Bend:
    """Exchange the last step, the cancel itself."""

    def bend(steps: Steps, place: Place) -> Steps:
        return replace(steps, cancel=lambda exchange: cancel(steps, place, exchange))

    return bend


def opened(*states: str) -> Bend:
    """Cancel jobs also in further states."""

    def cancel(steps: Steps, _place: Place, exchange: Exchange) -> None:
        job = exchange.job
        if job.state(exchange.now) in states:
            job.put(next(iter(job.lifecycle.cancel_moves.values())))
        else:
            steps.cancel(exchange)

    return cancelling(cancel)


def final_accepted(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Answer as if a job that has ended were cancelled, and leave it."""
    if exchange.job.state(exchange.now) not in _ENDED:
        steps.cancel(exchange)


_ENDED = {"FINISHED", "FAILED", "success", "dead"}


def second_cancel_accepted(steps: Steps, _place: Place) -> Steps:
    """Remember what was cancelled, and accept that again."""
    cancelled: set[str] = set()

    def cancel(exchange: Exchange) -> None:
        if exchange.job.id not in cancelled:
            steps.cancel(exchange)
            cancelled.add(exchange.job.id)

    return replace(steps, cancel=cancel)


def forget_cancel(_steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Go through the motions on a copy of the job."""
    job = exchange.job
    Job(job.id, job.operation, job.owner, job.lifecycle, job.state(exchange.now)).cancel(exchange.now)


def never_settle(_steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Let the cancel take an hour."""
    job = exchange.job
    kept = job.lifecycle
    job.lifecycle = Lifecycle(kept.states, kept.cancel_moves, 3600.0, kept.again)
    try:
        job.cancel(exchange.now)
    finally:
        job.lifecycle = kept


def wrong_end(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Cancel, and end in the state of a job that went well."""
    steps.cancel(exchange)
    names = {name.lower(): name for name in exchange.job.lifecycle.states}
    exchange.job.put(names.get("success") or names["finished"])


def refusing_states(*states: str) -> Callable[[Steps, Place, Exchange], None]:
    """Refuse jobs in some states."""

    def cancel(steps: Steps, _place: Place, exchange: Exchange) -> None:
        if exchange.job.state(exchange.now) in states:
            raise Refusal(Case.NOT_CANCELLABLE)
        steps.cancel(exchange)

    return cancel


def cancel_all(steps: Steps, place: Place, exchange: Exchange) -> None:
    """Cancel every job of the owner."""
    steps.cancel(exchange)
    for job in same_owner(place, exchange):
        _cancel_quietly(job, exchange.now)


def cancel_latest_too(steps: Steps, place: Place, exchange: Exchange) -> None:
    """Cancel also the newest job of anybody."""
    steps.cancel(exchange)
    others = [job for job in place.state.jobs.all(place.operation.key) if job is not exchange.job]
    if others:
        _cancel_quietly(others[-1], exchange.now)


def refuse_and_cancel(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Refuse what has ended, and yet call it cancelled."""
    try:
        steps.cancel(exchange)
    except Refusal:
        exchange.job.put(next(iter(exchange.job.lifecycle.cancel_moves.values())))
        raise


def _cancel_quietly(job: Job, now: float) -> None:
    try:
        job.cancel(now)
    except Refusal:
        return


# ------------------------------------------------------------------ answers


def finishing(change: Callable[[Answer], Answer]) -> Bend:
    """Change every answer after it is complete."""

    def bend(steps: Steps, _place: Place) -> Steps:
        return replace(steps, finish=lambda exchange, answer: change(steps.finish(exchange, answer)))

    return bend


def refusing(change: Callable[[Answer], Answer], *cases: Case) -> Bend:
    """Change the refusals for the reasons given (all, where none are)."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def refused(exchange: Exchange, case: Case) -> Answer:
            answer = steps.refused(exchange, case)
            return answer if (cases and case not in cases) or answer.status < 400 else change(answer)

        return replace(steps, refused=refused)

    return bend


def accepting(change: Callable[[Answer], Answer]) -> Bend:
    """Change the answer to an accepted cancel."""

    def bend(steps: Steps, _place: Place) -> Steps:
        return replace(steps, accepted=lambda exchange: change(steps.accepted(exchange)))

    return bend


def recast(case: Case, to: Case) -> Bend:
    """Answer one refusal with the words of another."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def refused(exchange: Exchange, met: Case) -> Answer:
            return steps.refused(exchange, to if met is case else met)

        return replace(steps, refused=refused)

    return bend


def status(number: int) -> Callable[[Answer], Answer]:
    """Send another status."""

    def change(answer: Answer) -> Answer:
        answer.status = number
        return answer

    return change


def header(name: bytes, value: bytes | None) -> Callable[[Answer], Answer]:
    """Send another value of a header, or leave the header out."""

    def change(answer: Answer) -> Answer:
        answer.headers = [(key, old) for key, old in answer.headers if key != name]
        if value is not None:
            answer.headers.append((name, value))
        return answer

    return change


def body(change: Callable[[bytes], bytes]) -> Callable[[Answer], Answer]:
    """Send another body, where there is one."""

    def changed(answer: Answer) -> Answer:
        if answer.body:
            answer.body = change(answer.body)
        return answer

    return changed


def members(change: Callable[[dict[str, Any]], object]) -> Callable[[Answer], Answer]:
    """Send other members of a JSON object; ``change`` gives the new object or alters the one it gets."""

    def changed(content: bytes) -> bytes:
        found_members = json.loads(content)
        result = change(found_members)
        return json.dumps(result if isinstance(result, dict) else found_members).encode()

    return body(changed)


def quota_used_up(answer: Answer) -> Answer:
    """Say of another method what is meant for a quota."""
    number = substituting(rb"\.0101", b".0501")
    return body(number)(status(405)(answer))


def unlisted(number: int) -> Callable[[Answer], Answer]:
    """Send a status and a code that no table of the vendor lists."""
    codes = substituting(rb'(<Code>|"error_code":")[^<"]*', rb"\1Unlisted")
    return lambda answer: body(codes)(status(number)(answer))


def with_xml_body(answer: Answer) -> Answer:
    """Say something where nothing is to be said."""
    answer.body = b"<Response><State>Cancel</State></Response>"
    return header(b"content-type", b"application/xml")(answer)


def substituting(pattern: bytes, by: bytes) -> Callable[[bytes], bytes]:
    """Replace what a pattern finds in a body."""
    return lambda content: re.sub(pattern, by, content)


def json_error(answer: Answer) -> Answer:
    """Say an XML error in JSON."""
    texts = {name.decode(): text.decode() for name, text in re.findall(rb"<(\w+)>([^<]+)</", answer.body)}
    answer.body = json.dumps(texts).encode()
    return header(b"content-type", b"application/json")(answer)


# ------------------------------------------------------------------ routes and races


def any_method(*names: str) -> Callable[[Route, Callable[[Operation], bool]], Route]:
    """Take further methods for the documented one."""

    def bend(route: Route, concerns: Callable[[Operation], bool]) -> Route:
        def lenient(exchange: Exchange) -> Operation:
            try:
                return route(exchange)
            except Refusal as refusal:
                if refusal.case is not Case.WRONG_METHOD or exchange.method not in names:
                    raise
                if not concerns(exchange.operation):
                    raise
                return exchange.operation

        return lenient

    return bend


def other_path_shape(pattern: bytes) -> Callable[[Route, Callable[[Operation], bool]], Route]:
    """Overlook what a pattern finds at the end of an unknown path."""
    tail = re.compile(pattern + rb"$")

    def bend(route: Route, concerns: Callable[[Operation], bool]) -> Route:
        def lenient(exchange: Exchange) -> Operation:
            try:
                return route(exchange)
            except Refusal as refusal:
                arrived = exchange.raw_path
                exchange.raw_path = tail.sub(b"", arrived)
                if refusal.case is not Case.UNKNOWN_PATH or exchange.raw_path == arrived:
                    raise
                try:
                    operation = route(exchange)
                finally:
                    exchange.raw_path = arrived
                if not concerns(operation):
                    raise
                return operation

        return lenient

    return bend


HOLD_SECONDS = 0.05  # how long an accepted cancel is held, so that a second one can meet it


def racing(clash: Callable[[ApiApp, Exchange, Answer], Answer]) -> Around:
    """Hold accepted cancels for a moment; a further cancel of a job that is held meets ``clash``."""
    held: set[Job] = set()

    async def around(app: ApiApp, exchange: Exchange) -> Answer:
        answer = app.handle(exchange)
        job: Job | None = getattr(exchange, "job", None)
        if job is None:
            return answer
        if job in held:
            return clash(app, exchange, answer)
        if answer.status == 200:
            held.add(job)
            await asyncio.sleep(HOLD_SECONDS)
            held.discard(job)
        return answer

    return around


def second_faults(app: ApiApp, exchange: Exchange, _answer: Answer) -> Answer:
    """Fall over."""
    return app.refuse(exchange, Case.SERVER_FAULT)


def cancel_lost(_app: ApiApp, exchange: Exchange, answer: Answer) -> Answer:
    """Write back a state from before the first cancel."""
    exchange.job.put(next(iter(exchange.job.lifecycle.cancel_moves)))
    return answer
