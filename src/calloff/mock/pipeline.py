"""What a request goes through, as a row of replaceable steps.

A cancel is done only when every step has passed: route → admit → authenticate → authorise → check the
request → check the id → find the job → cancel. A step refuses by raising `Refusal`; how the refusal looks
is the business of `Steps.refused`. A mutant is the same row with one step exchanged, so no step knows
about mutants.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from calloff.apis import Operation, StatusCall
    from calloff.mock.app import ApiApp
    from calloff.mock.jobs import Job, JobStore
    from calloff.mock.keys import Key, Keys, Token

    Call = Operation | StatusCall

Headers = list[tuple[bytes, bytes]]


class Case(Enum):
    """Why a request is refused; the vendor's words for it are in the error tables."""

    BAD_REQUEST = auto()
    UNKNOWN_PATH = auto()
    WRONG_METHOD = auto()
    BODY_TOO_LARGE = auto()
    URI_TOO_LONG = auto()
    HEADER_TOO_LARGE = auto()
    LENGTH_MISSING = auto()
    AUTH_MISSING = auto()
    AUTH_MALFORMED = auto()
    AUTH_UNKNOWN_KEY = auto()
    AUTH_KEY_LOCKED = auto()
    AUTH_WRONG_SIGNATURE = auto()
    AUTH_EXPIRED = auto()
    AUTH_SECURITY_TOKEN = auto()
    AUTH_SECURITY_TOKEN_EXPIRED = auto()
    TOKEN_UNKNOWN = auto()
    TOKEN_EXPIRED = auto()
    FOREIGN_OWNER = auto()
    PROJECT_HEADER_DIFFERS = auto()
    CONTENT_TYPE_MISSING = auto()
    CANCEL_MISSING = auto()
    CANCEL_VALUED = auto()
    MALFORMED_ID = auto()
    UNKNOWN_JOB = auto()
    NOT_CANCELLABLE = auto()
    SERVER_FAULT = auto()


class Refusal(Exception):  # noqa: N818 - not a fault of the program: the answer is a refusal
    """Ends the steps: the request is refused for the reason given."""

    def __init__(self, case: Case) -> None:
        super().__init__(case.name)
        self.case = case


class NotKeptError(Refusal):
    """A change could not be written to the file of the state, so it was not made: a fault of the server."""

    def __init__(self) -> None:
        super().__init__(Case.SERVER_FAULT)


@dataclass(frozen=True, slots=True)
class Row:
    """One error in the vendor's words: HTTP status, code and message."""

    status: int
    code: str
    message: str


@dataclass(slots=True)
class Answer:
    """What goes back; Content-Length is added when it is sent."""

    status: int
    headers: Headers
    body: bytes


class Principal(NamedTuple):
    """Who asks: the bucket or project the credential is for, and the header names its signature covers."""

    owner: str
    signed_headers: tuple[str, ...] = ()


class Exchange:
    """One request with what the steps found out about it.

    Path, query and headers are the bytes of the wire; header names are in lower case.
    """

    __slots__ = (
        "_indexed",
        "_repeated",
        "_values",
        "body",
        "body_too_large",
        "headers",
        "job",
        "job_id",
        "method",
        "now",
        "operation",
        "owner",
        "principal",
        "query",
        "raw_path",
        "request_id",
    )

    def __init__(self, method: str, raw_path: bytes, query: bytes, headers: Headers, now: float) -> None:
        self.method = method
        self.raw_path = raw_path
        self.query = query
        self.headers = headers
        self.now = now
        self.body = b""
        self.body_too_large = False
        self.request_id = ""
        self.operation: Call
        self.owner: str = ""
        self.job_id: str = ""
        self.principal: Principal
        self.job: Job
        self._indexed: Headers | None = None  # the headers that the next two are about
        self._values: dict[bytes, bytes] = {}
        self._repeated: frozenset[bytes] = frozenset()

    def all(self, name: bytes) -> list[bytes]:
        """List the values of a header, given in lower case."""
        return [value for key, value in self.headers if key == name]

    def last(self, name: bytes) -> bytes:
        """Read a header, of several the last one; empty without."""
        if self._indexed is not self.headers:
            self._index()
        return self._values.get(name, b"")

    def one(self, name: bytes) -> bytes | None:
        """Read a header that must not repeat: a copy could be checked while the other is used."""
        if self._indexed is not self.headers:
            self._index()
        if name in self._repeated:
            raise Refusal(Case.AUTH_MALFORMED)
        return self._values.get(name)

    def _index(self) -> None:
        """Look at each header once: a signature may name as many as there are."""
        self._indexed, self._values = self.headers, dict(self.headers)
        if len(self._values) < len(self.headers):
            counts = Counter(name for name, _ in self.headers)
            self._repeated = frozenset(name for name, count in counts.items() if count > 1)
        else:
            self._repeated = frozenset()


class Claim(NamedTuple):
    """What a signature says about itself, as read from the request; nothing of it is proven."""

    key_id: str
    headers: tuple[str, ...]
    parameters: tuple[str, ...]
    time: str
    signature: str
    in_query: bool = False
    scope: str = ""  # what the key was derived for; empty where the secret itself is the key


@dataclass(frozen=True, slots=True)
class SignatureSteps:
    """The steps that check a signature; each gives one part of the string that is signed, or refuses."""

    read: Callable[[Exchange], Claim]
    find_key: Callable[[Exchange, Claim], Key]
    check_time: Callable[[Exchange, Claim], None]
    check_security_token: Callable[[Exchange, Claim, Key], None]
    method: Callable[[Exchange, Claim], bytes]
    path: Callable[[Exchange, Claim], bytes]
    parameters: Callable[[Exchange, Claim], bytes]
    headers: Callable[[Exchange, Claim], bytes]
    body: Callable[[Exchange, Claim], tuple[bytes, ...]]  # each of them may be meant
    sign: Callable[[Claim, Key, tuple[bytes, bytes, bytes, bytes, bytes]], str]
    equal: Callable[[str, str], bool]
    verify: Callable[[SignatureSteps, Exchange, Claim, Key], bool]


def signature_matches(steps: SignatureSteps, exchange: Exchange, claim: Claim, key: Key) -> bool:
    """Compute the signature of what arrived and compare it with the one that came along."""
    method = steps.method(exchange, claim)
    path = steps.path(exchange, claim)
    parameters = steps.parameters(exchange, claim)
    headers = steps.headers(exchange, claim)
    for body in steps.body(exchange, claim):
        signed = steps.sign(claim, key, (method, path, parameters, headers, body))
        if steps.equal(signed, claim.signature):
            return True
    return False


@dataclass(frozen=True, slots=True)
class TokenSteps:
    """The steps that check an X-Auth-Token."""

    find: Callable[[Exchange, bytes], Token]
    check_time: Callable[[Exchange, Token], None]


@dataclass(frozen=True, slots=True)
class Steps:
    """Everything that happens to a request of one operation, or of its status call, after it was routed."""

    admit: Callable[[Exchange], None]
    authenticate: Callable[[Steps, Exchange], Principal]
    authorise: Callable[[Exchange], None]
    check_request: Callable[[Exchange], None]
    check_id: Callable[[Exchange], None]
    find: Callable[[Exchange], Job]
    cancel: Callable[[Exchange], None]
    accepted: Callable[[Exchange], Answer]
    refused: Callable[[Exchange, Case], Answer]
    finish: Callable[[Exchange, Answer], Answer]
    signature: SignatureSteps
    token: TokenSteps | None

    def run(self, exchange: Exchange) -> None:
        """Take the request through all steps that may refuse it; afterwards the job is cancelled, or was found."""
        self.admit(exchange)
        exchange.principal = self.authenticate(self, exchange)
        self.authorise(exchange)
        self.check_request(exchange)
        self.check_id(exchange)
        exchange.job = self.find(exchange)
        self.cancel(exchange)


def key_finder(keys: Keys) -> Callable[[Exchange, Claim], Key]:
    """Give the step that finds the key a signature names, or refuses with AUTH_UNKNOWN_KEY."""

    def find_key(_exchange: Exchange, claim: Claim) -> Key:
        key = keys.find(claim.key_id)
        if key is None:
            raise Refusal(Case.AUTH_UNKNOWN_KEY)
        return key

    return find_key


def id_checker(operation: Operation) -> Callable[[Exchange], None]:
    """Give the step that holds the id of the job against its pattern, or refuses with MALFORMED_ID."""
    pattern = re.compile(operation.patterns[operation.job_parameter])

    def check_id(exchange: Exchange) -> None:
        if not pattern.fullmatch(exchange.job_id):
            raise Refusal(Case.MALFORMED_ID)

    return check_id


def job_finder(jobs: JobStore, operation: Operation) -> Callable[[Exchange], Job]:
    """Give the step that finds the job among those of its owner, or refuses with UNKNOWN_JOB."""
    key = operation.key

    def find(exchange: Exchange) -> Job:
        job = jobs.find(key, exchange.owner, exchange.job_id)
        if job is None:
            raise Refusal(Case.UNKNOWN_JOB)
        return job

    return find


def cancel_job(exchange: Exchange) -> None:
    """Cancel the job that was found, or refuse with NOT_CANCELLABLE."""
    exchange.job.cancel(exchange.now)


def leave_job(_exchange: Exchange) -> None:
    """Do nothing to the job that was found: its state is only asked for."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application of one API is made of; see `calloff.mock.app.ApiApp`."""

    route: Callable[[Exchange], Call]
    steps: Mapping[str, Steps]
    unrouted: Steps
    new_request_id: Callable[[float], str]
    body_limit: int
    around: Callable[[ApiApp, Exchange], Awaitable[Answer]] | None = None


def authenticate_signature(steps: Steps, exchange: Exchange, *, locks: bool) -> Principal:
    """Check the signature of a request to an operation; see `check_signature`."""
    return check_signature(steps.signature, exchange, locks=locks)


def check_signature(signature: SignatureSteps, exchange: Exchange, *, locks: bool) -> Principal:
    """Check the signature of a request.

    Args:
        signature: the steps that check it.
        exchange: the request.
        locks: whether failures in a row lock the key.

    Raises:
        Refusal: one of the AUTH cases.
    """
    claim = signature.read(exchange)
    key = signature.find_key(exchange, claim)
    if key.locked(exchange.now):
        raise Refusal(Case.AUTH_KEY_LOCKED)
    try:
        _check(signature, exchange, claim, key)
    except Refusal:
        if locks:
            key.failed(exchange.now)
        raise
    key.failures = 0
    return Principal(key.owner, claim.headers)


def _check(signature: SignatureSteps, exchange: Exchange, claim: Claim, key: Key) -> None:
    signature.check_time(exchange, claim)
    signature.check_security_token(exchange, claim, key)
    if not signature.verify(signature, exchange, claim, key):
        raise Refusal(Case.AUTH_WRONG_SIGNATURE)
