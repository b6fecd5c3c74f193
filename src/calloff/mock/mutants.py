"""Servers that are wrong on purpose: each breaks one named requirement and as little else as possible.

A mutant exchanges one step of the pipeline for the operations it concerns, so the correct server knows nothing
of mutants. ``prototype`` names the mutants of an earlier study of what stock fuzzing finds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from calloff.apis import APIS
from calloff.errors import InvalidInputError
from calloff.mock import mutations as bend
from calloff.mock.dli.verify import read_claim
from calloff.mock.mutations import Place
from calloff.mock.pipeline import Case

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from calloff.apis import ApiName, Operation
    from calloff.mock.mutations import Around, Bend, Route
    from calloff.mock.pipeline import Parts
    from calloff.mock.state import ServerState


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong server: the requirement it breaks, for which operations, and the step it exchanges."""

    name: str
    requirement: str
    operations: tuple[str, ...]
    description: str
    steps: Bend | None = None
    route: Callable[[Route, Callable[[Operation], bool]], Route] | None = None
    around: Callable[[], Around] | None = None
    prototype: str = ""

    def concerns(self, operation: str) -> bool:
        """Tell whether the mutant breaks the operation named ``api/operation``."""
        return any(fnmatchcase(operation, pattern) for pattern in self.operations)

    def bend(self, api: ApiName, parts: Parts, state: ServerState) -> Parts:
        """Give the parts of an API with this mutant in them."""
        operations = APIS[api].operations
        bent = {name for name, operation in operations.items() if self.concerns(operation.key)}
        if not bent:
            return parts
        if self.steps is not None:
            changed = {
                name: self.steps(steps, Place(state, operations[name])) if name in bent else steps
                for name, steps in parts.steps.items()
            }
            everywhere = len(bent) == len(operations)
            unrouted = changed[next(iter(changed))] if everywhere else parts.unrouted
            parts = replace(parts, steps=changed, unrouted=unrouted)
        if self.route is not None:
            parts = replace(parts, route=self.route(parts.route, lambda operation: operation.name in bent))
        if self.around is not None:
            parts = replace(parts, around=self.around())
        return parts


_ALL = ("*/*",)
_CI = ("tencent-ci/*",)
_DLI = ("*-dli/*",)
_SQL = ("*-dli/cancelSqlJob",)
_BATCH = ("otc-dli/cancelBatchJob",)
_AI = ("tencent-ci/cancelAiJob",)
_INVENTORY = ("tencent-ci/cancelInventoryTriggerJob",)
_AUTHENTICATION = tuple(case for case in Case if case.name.startswith(("AUTH_", "TOKEN_")))


def without(member: str) -> Callable[[dict[str, Any]], object]:
    """Leave a member out of an object."""
    return lambda members: {name: value for name, value in members.items() if name != member}


def short_request_id(members: dict[str, Any]) -> dict[str, Any]:
    """Shorten request_id, where there is one."""
    return {name: value[:8] if name == "request_id" else value for name, value in members.items()}


_TABLE = (
    # state
    Mutant(
        "cancel-forgotten",
        "cancel-takes-effect",
        _ALL,
        "answers 200 and leaves the job as it was",
        steps=bend.cancelling(bend.forget_cancel),
        prototype="M03, X08",
    ),
    Mutant(
        "cancel-never-settles",
        "cancel-takes-effect",
        _ALL,
        "answers 200 and takes an hour to cancel",
        steps=bend.cancelling(bend.never_settle),
    ),
    Mutant(
        "cancel-ends-well",
        "cancel-takes-effect",
        _ALL,
        "a cancelled job ends in the state of one that succeeded",
        steps=bend.cancelling(bend.wrong_end),
    ),
    Mutant(
        "waiting-job-refused",
        "cancel-accepted",
        _CI,
        "refuses a job that has not begun",
        steps=bend.cancelling(bend.refusing_states("Submitted")),
    ),
    Mutant(
        "running-job-refused",
        "cancel-accepted",
        _DLI,
        "refuses a job that runs",
        steps=bend.cancelling(bend.refusing_states("RUNNING", "running")),
    ),
    Mutant(
        "bystanders-cancelled",
        "bystander-untouched",
        _ALL,
        "cancels every job of the owner",
        steps=bend.cancelling(bend.cancel_all),
        prototype="M14",
    ),
    Mutant(
        "newest-job-cancelled-too",
        "bystander-untouched",
        _ALL,
        "cancels the newest other job as well, whoever owns it",
        steps=bend.cancelling(bend.cancel_latest_too),
    ),
    Mutant(
        "refusal-cancels",
        "refusal-changes-nothing",
        _ALL,
        "refuses a job that has ended and calls it cancelled all the same",
        steps=bend.cancelling(bend.refuse_and_cancel),
    ),
    Mutant(
        "unknown-job-accepted",
        "unknown-job-refused",
        _ALL,
        "answers 200 for a job that was never given out",
        steps=bend.unknown_accepted,
        prototype="M13",
    ),
    Mutant(
        "malformed-id-accepted",
        "malformed-id-refused",
        _ALL,
        "answers 200 for an id that breaks the form",
        steps=bend.malformed_accepted,
        prototype="M11",
    ),
    Mutant(
        "id-shortened",
        "id-matched-whole",
        _ALL,
        "takes the beginning of an id for the id",
        steps=bend.found(bend.by_beginning),
    ),
    Mutant(
        "id-lengthened",
        "id-matched-whole",
        _ALL,
        "takes an id with more behind it for the id",
        steps=bend.found(bend.by_more),
    ),
    Mutant(
        "id-suffix",
        "id-matched-whole",
        _ALL,
        "takes the end of an id for the id",
        steps=bend.found(bend.by_end),
    ),
    Mutant(
        "id-cut-at-encoded-slash",
        "id-matched-whole",
        _ALL,
        "cuts an id at an encoded slash",
        route=bend.other_path_shape(rb"%2[Ff].*"),
    ),
    Mutant(
        "ai-running-cancelled",
        "ci-ai-only-pending",
        _AI,
        "cancels a job that runs",
        steps=bend.opened("Running"),
    ),
    Mutant(
        "ai-ended-cancelled",
        "ci-ai-only-pending",
        _AI,
        "cancels a job that has ended",
        steps=bend.opened("Success", "Failed"),
        prototype="X09",
    ),
    Mutant(
        "batch-job-ended-cancelled",
        "ci-final-refused",
        _INVENTORY,
        "cancels a job that has ended",
        steps=bend.opened("Success", "Failed"),
        prototype="X09",
    ),
    Mutant(
        "dli-ended-cancelled",
        "dli-final-refused",
        _DLI,
        "cancels a job that has ended",
        steps=bend.opened("FINISHED", "FAILED", "success", "dead"),
        prototype="M02",
    ),
    Mutant(
        "dli-ended-accepted",
        "dli-final-refused",
        _DLI,
        "answers 200 for a job that has ended and leaves it",
        steps=bend.cancelling(bend.final_accepted),
        prototype="M02",
    ),
    Mutant(
        "dli-second-cancel-accepted",
        "dli-second-cancel-refused",
        _SQL,
        "answers 200 for a job that it has cancelled before",
        steps=bend.second_cancel_accepted,
        prototype="M18",
    ),
    # methods and paths
    Mutant(
        "get-cancels",
        "other-method-cancels-nothing",
        _ALL,
        "takes GET for the documented method",
        route=bend.any_method("GET"),
        prototype="M09",
    ),
    Mutant(
        "post-cancels",
        "other-method-cancels-nothing",
        _ALL,
        "takes POST for the documented method",
        route=bend.any_method("POST"),
    ),
    Mutant(
        "dli-trailing-slash-accepted",
        "dli-unknown-path",
        _DLI,
        "overlooks a slash at the end of the path",
        route=bend.other_path_shape(rb"/"),
    ),
    Mutant(
        "dli-wrong-method-405",
        "dli-unknown-path",
        _DLI,
        "answers another method with 405, number 0501",
        steps=bend.refusing(bend.quota_used_up, Case.WRONG_METHOD),
    ),
    # query and headers
    Mutant(
        "ci-cancel-not-needed",
        "ci-cancel-only-with-parameter",
        _CI,
        "cancels without the parameter cancel",
        steps=bend.query_checked(bend.cancel_not_needed),
        prototype="X01",
    ),
    Mutant(
        "ci-bare-cancel-refused",
        "ci-cancel-bare",
        _CI,
        "refuses ?cancel",
        steps=bend.query_checked(bend.refusing_query(b"cancel")),
    ),
    Mutant(
        "ci-empty-cancel-refused",
        "ci-cancel-empty-value",
        _CI,
        "refuses ?cancel=",
        steps=bend.query_checked(bend.refusing_query(b"cancel=")),
    ),
    Mutant(
        "dli-content-type-refused",
        "dli-empty-body-with-content-type",
        _DLI,
        "refuses a Content-Type without a body",
        steps=bend.query_checked(bend.content_type_refused),
    ),
    # isolation
    Mutant(
        "ci-other-bucket-allowed",
        "ci-bucket-isolation",
        _CI,
        "does not ask whether the key may use the bucket",
        steps=bend.everybody_allowed,
    ),
    Mutant(
        "ci-job-of-any-bucket",
        "ci-bucket-isolation",
        _CI,
        "finds a job through any bucket's host",
        steps=bend.found(bend.by_any_owner),
    ),
    Mutant(
        "dli-other-project-allowed",
        "dli-project-isolation",
        _DLI,
        "does not ask whether the credential is for the project",
        steps=bend.everybody_allowed,
        prototype="M08",
    ),
    Mutant(
        "dli-job-of-any-project",
        "dli-project-isolation",
        _DLI,
        "finds a job through any project",
        steps=bend.found(bend.by_any_owner),
        prototype="M08",
    ),
    Mutant(
        "dli-batch-of-any-project",
        "dli-project-isolation",
        _BATCH,
        "isolates SQL jobs, and not batches",
        steps=bend.everybody_allowed,
    ),
    # authentication, CI
    Mutant(
        "ci-unsigned-accepted",
        "ci-auth-missing",
        _CI,
        "accepts a request without a signature",
        steps=bend.instead(Case.AUTH_MISSING, bend.owner_of_path),
        prototype="X12",
    ),
    Mutant(
        "ci-malformed-accepted",
        "ci-auth-malformed",
        _CI,
        "accepts an Authorization that is no q-sign string",
        steps=bend.instead(Case.AUTH_MALFORMED, bend.owner_of_path),
    ),
    Mutant(
        "ci-other-algorithm-accepted",
        "ci-auth-malformed",
        _CI,
        "overlooks the name of the algorithm",
        steps=bend.other_algorithm_accepted,
    ),
    Mutant(
        "ci-unknown-key-accepted",
        "ci-auth-unknown-key",
        _CI,
        "accepts any key id",
        steps=bend.unknown_key_accepted,
    ),
    Mutant(
        "ci-signature-not-verified",
        "ci-auth-wrong-key",
        _CI,
        "accepts any signature of the right form",
        steps=bend.signature(equal=lambda _expected, given: bend.looks_whole(given)),
        prototype="X06",
    ),
    Mutant(
        "ci-signature-prefix-accepted",
        "ci-auth-whole-signature",
        _CI,
        "compares only as much of the signature as came",
        steps=bend.signature(equal=str.startswith),
    ),
    Mutant(
        "ci-signature-last-digit-ignored",
        "ci-auth-whole-signature",
        _CI,
        "does not compare the last digit",
        steps=bend.signature(equal=bend.all_but_last),
    ),
    Mutant(
        "ci-expired-accepted",
        "ci-auth-expired",
        _CI,
        "accepts a signature past its end",
        steps=bend.signature(check_time=lambda _exchange, _claim: None),
        prototype="X05",
    ),
    Mutant(
        "ci-path-not-covered",
        "ci-auth-covers-path",
        _CI,
        "accepts a signature made for another job",
        steps=bend.also_verifying(bend.other_path),
    ),
    Mutant(
        "ci-method-not-covered",
        "ci-auth-covers-method",
        _CI,
        "accepts a signature made for another method",
        steps=bend.also_verifying(bend.other_method),
    ),
    Mutant(
        "ci-header-not-covered",
        "ci-auth-covers-signed-header",
        _CI,
        "does not check a signature that covers a header of the client's own",
        steps=bend.also_verifying(bend.unusual_header),
    ),
    Mutant(
        "ci-absent-header-skipped",
        "ci-auth-covers-signed-header",
        _CI,
        "does not check a signature that lists a header which is absent",
        steps=bend.also_verifying(bend.absent_header),
    ),
    Mutant(
        "ci-parameter-not-covered",
        "ci-auth-covers-signed-parameter",
        _CI,
        "does not check a signature that covers a parameter of the client's own",
        steps=bend.also_verifying(bend.unusual_parameter),
    ),
    Mutant(
        "ci-key-time-not-covered",
        "ci-auth-covers-key-time",
        _CI,
        "accepts a signature made for an hour that began within the last two",
        steps=bend.also_verifying(bend.earlier_hour),
    ),
    Mutant(
        "ci-host-must-be-signed",
        "ci-auth-client-chooses-what-is-signed",
        _CI,
        "refuses a signature that does not cover Host",
        steps=bend.requiring(lambda _exchange, claim: "host" in claim.headers, Case.AUTH_MALFORMED),
    ),
    Mutant(
        "ci-query-form-refused",
        "ci-auth-query-form",
        _CI,
        "refuses a signature in the query",
        steps=bend.requiring(lambda _exchange, claim: not claim.in_query, Case.AUTH_MISSING),
    ),
    Mutant(
        "ci-cos-token-refused",
        "ci-auth-temporary-key",
        _CI,
        "does not know x-cos-security-token",
        steps=bend.requiring(
            lambda exchange, _claim: not exchange.all(b"x-cos-security-token"), Case.AUTH_SECURITY_TOKEN
        ),
    ),
    Mutant(
        "ci-token-must-be-signed",
        "ci-auth-temporary-key",
        _CI,
        "refuses a security token that is not signed",
        steps=bend.requiring(bend.security_token_signed, Case.AUTH_SECURITY_TOKEN),
    ),
    Mutant(
        "ci-temporary-key-without-token",
        "ci-auth-temporary-key-needs-token",
        _CI,
        "accepts a temporary key without its token",
        steps=bend.security_token_accepted(absent=True),
    ),
    Mutant(
        "ci-temporary-key-any-token",
        "ci-auth-temporary-key-needs-token",
        _CI,
        "accepts a temporary key with another token",
        steps=bend.security_token_accepted(absent=False),
    ),
    Mutant(
        "ci-expired-temporary-key",
        "ci-auth-temporary-key-needs-token",
        _CI,
        "accepts a temporary key past its end",
        steps=bend.expired_temporary_key,
    ),
    # authentication, DLI
    Mutant(
        "dli-unsigned-accepted",
        "dli-auth-missing",
        _DLI,
        "accepts a request without a credential",
        steps=bend.instead(Case.AUTH_MISSING, bend.owner_of_path),
        prototype="M01",
    ),
    Mutant(
        "dli-token-refused", "dli-auth-token", _DLI, "refuses tokens that are good", steps=bend.tokens_refused
    ),
    Mutant(
        "dli-any-token-accepted",
        "dli-auth-token-garbage",
        _DLI,
        "accepts any token",
        steps=bend.accepted_by_token(bend.any_token),
        prototype="M10",
    ),
    Mutant(
        "dli-token-prefix-accepted",
        "dli-auth-token-garbage",
        _DLI,
        "compares only the beginning of a token",
        steps=bend.accepted_by_token(bend.token_beginning),
    ),
    Mutant(
        "dli-expired-token-accepted",
        "dli-auth-token-expired",
        _DLI,
        "accepts a token past its end",
        steps=bend.instead(Case.TOKEN_EXPIRED, bend.owner_of_path),
        prototype="M16",
    ),
    Mutant(
        "dli-only-two-headers-signed",
        "dli-auth-signature",
        _DLI,
        "refuses a signature that covers more than Host and X-Sdk-Date",
        steps=bend.requiring(
            lambda _exchange, claim: set(claim.headers) <= {"host", "x-sdk-date"}, Case.AUTH_WRONG_SIGNATURE
        ),
    ),
    Mutant(
        "dli-other-algorithm-accepted",
        "dli-auth-signature-malformed",
        _DLI,
        "overlooks the name of the algorithm",
        steps=bend.other_algorithm_accepted,
    ),
    Mutant(
        "dli-malformed-accepted",
        "dli-auth-signature-malformed",
        _DLI,
        "accepts an Authorization that lacks a part",
        steps=bend.instead(Case.AUTH_MALFORMED, bend.owner_of_path),
    ),
    Mutant(
        "dli-unknown-key-accepted",
        "dli-auth-unknown-key",
        _DLI,
        "accepts any access key",
        steps=bend.unknown_key_accepted,
    ),
    Mutant(
        "dli-signature-not-verified",
        "dli-auth-wrong-key",
        _DLI,
        "accepts any signature of the right form",
        steps=bend.signature(equal=lambda _expected, given: bend.looks_whole(given)),
        prototype="M10s",
    ),
    Mutant(
        "dli-signature-prefix-accepted",
        "dli-auth-whole-signature",
        _DLI,
        "compares only as much of the signature as came",
        steps=bend.signature(equal=str.startswith),
    ),
    Mutant(
        "dli-signature-last-digit-ignored",
        "dli-auth-whole-signature",
        _DLI,
        "does not compare the last digit",
        steps=bend.signature(equal=bend.all_but_last),
    ),
    Mutant(
        "dli-stale-date-accepted",
        "dli-auth-stale-date",
        _DLI,
        "accepts a date from more than 15 minutes ago",
        steps=bend.date_accepted(early=True),
    ),
    Mutant(
        "dli-future-date-accepted",
        "dli-auth-stale-date",
        _DLI,
        "accepts a date more than 15 minutes ahead",
        steps=bend.date_accepted(early=False),
    ),
    Mutant(
        "dli-path-not-covered",
        "dli-auth-covers-path",
        _DLI,
        "accepts a signature made for another job",
        steps=bend.also_verifying(bend.other_path),
    ),
    Mutant(
        "dli-method-not-covered",
        "dli-auth-covers-method",
        _DLI,
        "accepts a signature made for another method",
        steps=bend.also_verifying(bend.other_method),
    ),
    Mutant(
        "dli-query-not-covered",
        "dli-auth-covers-query",
        _DLI,
        "leaves the query out of what is signed",
        steps=bend.also_verifying(bend.without_query),
    ),
    Mutant(
        "dli-body-not-covered",
        "dli-auth-covers-body",
        _DLI,
        "leaves the body out of what is signed",
        steps=bend.also_verifying(bend.without_body),
    ),
    Mutant(
        "dli-header-not-covered",
        "dli-auth-covers-signed-header",
        _DLI,
        "does not check a signature that covers a header of the client's own",
        steps=bend.also_verifying(bend.unusual_header),
    ),
    Mutant(
        "dli-absent-header-skipped",
        "dli-auth-covers-signed-header",
        _DLI,
        "does not check a signature that lists a header which is absent",
        steps=bend.also_verifying(bend.absent_header),
    ),
    Mutant(
        "dli-unsigned-date-accepted",
        "dli-auth-date-signed",
        _DLI,
        "accepts a signature that does not cover X-Sdk-Date",
        steps=bend.signature(read=partial(read_claim, date_must_be_signed=False)),
    ),
    Mutant(
        "dli-token-must-be-signed",
        "dli-auth-temporary-key",
        _DLI,
        "refuses a security token that is not signed",
        steps=bend.requiring(bend.security_token_signed, Case.AUTH_SECURITY_TOKEN),
    ),
    Mutant(
        "dli-temporary-key-without-token",
        "dli-auth-temporary-key-needs-token",
        _DLI,
        "accepts a temporary key without its token",
        steps=bend.security_token_accepted(absent=True),
    ),
    Mutant(
        "dli-temporary-key-any-token",
        "dli-auth-temporary-key-needs-token",
        _DLI,
        "accepts a temporary key with another token",
        steps=bend.security_token_accepted(absent=False),
    ),
    Mutant(
        "dli-expired-temporary-key",
        "dli-auth-temporary-key-needs-token",
        _DLI,
        "accepts a temporary key past its end",
        steps=bend.expired_temporary_key,
    ),
    # status
    Mutant(
        "unknown-job-500",
        "no-server-fault",
        _ALL,
        "faults on a job that was never given out",
        steps=bend.recast(Case.UNKNOWN_JOB, Case.SERVER_FAULT),
        prototype="M07",
    ),
    Mutant(
        "malformed-id-500",
        "no-server-fault",
        _ALL,
        "faults on an id that breaks the form",
        steps=bend.recast(Case.MALFORMED_ID, Case.SERVER_FAULT),
    ),
    Mutant(
        "ended-job-409",
        "status-documented",
        _ALL,
        "answers 409 for a job that has ended",
        steps=bend.refusing(bend.unlisted(409), Case.NOT_CANCELLABLE),
    ),
    Mutant(
        "unknown-job-418",
        "status-documented",
        _ALL,
        "answers 418 for a job that was never given out",
        steps=bend.refusing(bend.unlisted(418), Case.UNKNOWN_JOB),
    ),
    Mutant(
        "ci-code-with-wrong-status",
        "ci-error-code-has-its-status",
        _CI,
        "sends MissingAuthorization with 403",
        steps=bend.refusing(bend.status(403), Case.AUTH_MISSING),
    ),
    Mutant(
        "dli-code-with-wrong-status",
        "dli-error-code-has-its-status",
        _DLI,
        "sends DLI.0001 with 404",
        steps=bend.refusing(bend.status(404), Case.MALFORMED_ID),
    ),
    # shape, CI
    Mutant(
        "ci-success-with-body",
        "ci-success-is-empty",
        _CI,
        "sends a body with a 200",
        steps=bend.accepting(bend.with_xml_body),
        prototype="X02",
    ),
    Mutant(
        "ci-request-id-missing",
        "ci-request-id",
        _CI,
        "sends no x-ci-request-id",
        steps=bend.finishing(bend.header(b"x-ci-request-id", None)),
        prototype="X07",
    ),
    Mutant(
        "ci-trace-id-missing",
        "ci-trace-id-on-failure",
        _CI,
        "sends no x-ci-trace-id with a failure",
        steps=bend.finishing(bend.header(b"x-ci-trace-id", None)),
    ),
    Mutant(
        "ci-trace-id-on-success",
        "ci-trace-id-on-failure",
        _CI,
        "sends x-ci-trace-id with a 200",
        steps=bend.accepting(bend.header(b"x-ci-trace-id", b"c3VjY2Vzcw==")),
    ),
    Mutant(
        "ci-server-header-wrong",
        "ci-server-header",
        _CI,
        "says that it is tencent-cos",
        steps=bend.finishing(bend.header(b"server", b"tencent-cos")),
    ),
    Mutant(
        "ci-error-code-missing",
        "ci-error-is-xml",
        _CI,
        "sends errors without Code",
        steps=bend.refusing(bend.body(bend.substituting(rb"<Code>.*</Code>", b""))),
        prototype="X03",
    ),
    Mutant(
        "ci-error-json",
        "ci-error-is-xml",
        _CI,
        "sends errors as JSON",
        steps=bend.refusing(bend.json_error),
        prototype="X04",
    ),
    Mutant(
        "ci-error-malformed",
        "ci-error-is-xml",
        _CI,
        "sends errors that are no well-formed XML",
        steps=bend.refusing(bend.body(lambda content: content[:-4])),
        prototype="X10",
    ),
    Mutant(
        "ci-error-wrapped",
        "ci-error-is-xml",
        _CI,
        "wraps errors in Response",
        steps=bend.refusing(bend.body(lambda content: b"<Response>" + content + b"</Response>")),
    ),
    Mutant(
        "ci-error-content-type",
        "ci-error-is-xml",
        _CI,
        "sends errors as text/html",
        steps=bend.refusing(bend.header(b"content-type", b"text/html")),
    ),
    Mutant(
        "ci-error-ids-differ",
        "ci-error-ids-agree",
        _CI,
        "names another request in the body than in the header",
        steps=bend.refusing(bend.body(bend.substituting(rb"(<RequestId>)[^<]*", rb"\1b3RoZXI="))),
    ),
    # shape, DLI
    Mutant(
        "dli-error-content-type",
        "dli-error-is-json",
        _DLI,
        "sends errors as text/plain",
        steps=bend.refusing(bend.header(b"content-type", b"text/plain")),
        prototype="M04",
    ),
    Mutant(
        "dli-error-code-missing",
        "dli-error-is-json",
        _DLI,
        "sends errors without error_code",
        steps=bend.refusing(bend.members(without("error_code"))),
        prototype="M05",
    ),
    Mutant(
        "dli-error-wrapped",
        "dli-error-is-json",
        _DLI,
        "wraps errors in another object",
        steps=bend.refusing(bend.members(lambda members: {"error": members})),
    ),
    Mutant(
        "dli-401-of-another-shape",
        "dli-error-is-json",
        _DLI,
        "sends a 401 in the form of another service",
        steps=bend.refusing(
            bend.members(lambda members: {"code": 401, "message": members["error_msg"]}), *_AUTHENTICATION
        ),
        prototype="M15",
    ),
    Mutant(
        "dli-request-id-missing",
        "dli-gateway-request-id",
        _DLI,
        "sends gateway errors without request_id",
        steps=bend.refusing(bend.members(without("request_id"))),
    ),
    Mutant(
        "dli-request-id-short",
        "dli-gateway-request-id",
        _DLI,
        "sends a request_id of 8 digits",
        steps=bend.refusing(bend.members(short_request_id)),
    ),
    Mutant(
        "dli-success-flag-text",
        "dli-success-is-json",
        _SQL,
        'sends is_success as the text "true"',
        steps=bend.accepting(bend.members(lambda members: {**members, "is_success": "true"})),
        prototype="M06",
    ),
    Mutant(
        "dli-message-null",
        "dli-success-is-json",
        _SQL,
        "sends message as null",
        steps=bend.accepting(bend.members(lambda members: {**members, "message": None})),
        prototype="M12",
    ),
    Mutant(
        "dli-batch-msg-null",
        "dli-success-is-json",
        _BATCH,
        "sends msg as null",
        steps=bend.accepting(bend.members(lambda members: {**members, "msg": None})),
        prototype="M12",
    ),
    Mutant(
        "dli-success-content-type",
        "dli-success-is-json",
        _DLI,
        "sends a 200 as text/html",
        steps=bend.accepting(bend.header(b"content-type", b"text/html")),
    ),
    Mutant(
        "dli-success-flag-false",
        "dli-sql-success-flag",
        _SQL,
        "cancels and says is_success false",
        steps=bend.accepting(bend.members(lambda members: {**members, "is_success": False})),
    ),
    Mutant(
        "dli-batch-msg-other",
        "dli-batch-deleted",
        _BATCH,
        'sends msg "canceled"',
        steps=bend.accepting(bend.members(lambda members: {**members, "msg": "canceled"})),
    ),
    # races
    Mutant(
        "second-of-two-faults",
        "concurrent-cancels-agree",
        _ALL,
        "faults on a cancel that meets another one of the same job",
        around=lambda: bend.racing(bend.second_faults),
    ),
    Mutant(
        "two-cancels-undo-each-other",
        "concurrent-cancels-agree",
        _ALL,
        "brings a job back that is cancelled twice at the same time",
        around=lambda: bend.racing(bend.cancel_lost),
    ),
)

MUTANTS: Mapping[str, Mutant] = MappingProxyType({mutant.name: mutant for mutant in _TABLE})


def find_mutant(name: str) -> Mutant:
    """Find a mutant by name.

    Raises:
        InvalidInputError: there is none; the message lists what exists.
    """
    if name not in MUTANTS:
        raise InvalidInputError(f"no mutant {name!r}; there are: {', '.join(MUTANTS)}")
    return MUTANTS[name]
