"""Servers of DLI that accept a wrong credential, or refuse a right one."""

from __future__ import annotations

from functools import partial

from calloff.mock.dli.verify import read_claim
from calloff.mock.mutants.mutant import DLI, Mutant
from calloff.mock.mutations import access, signatures
from calloff.mock.pipeline import Case

ROWS = (
    # authentication, DLI
    Mutant(
        "dli-unsigned-accepted",
        "dli-auth-missing",
        DLI,
        "accepts a request without a credential",
        steps=signatures.instead(Case.AUTH_MISSING, signatures.owner_of_path),
        prototype="M01",
    ),
    Mutant(
        "dli-token-refused",
        "dli-auth-token",
        DLI,
        "refuses tokens that are good",
        steps=access.tokens_refused,
    ),
    Mutant(
        "dli-any-token-accepted",
        "dli-auth-token-garbage",
        DLI,
        "accepts any token",
        steps=access.accepted_by_token(access.any_token),
        prototype="M10",
    ),
    Mutant(
        "dli-token-prefix-accepted",
        "dli-auth-token-garbage",
        DLI,
        "compares only the beginning of a token",
        steps=access.accepted_by_token(access.token_beginning),
    ),
    Mutant(
        "dli-expired-token-accepted",
        "dli-auth-token-expired",
        DLI,
        "accepts a token past its end",
        steps=signatures.instead(Case.TOKEN_EXPIRED, signatures.owner_of_path),
        prototype="M16",
    ),
    Mutant(
        "dli-only-two-headers-signed",
        "dli-auth-signature",
        DLI,
        "refuses a signature that covers more than Host and X-Sdk-Date",
        steps=signatures.requiring(
            lambda _exchange, claim: set(claim.headers) <= {"host", "x-sdk-date"}, Case.AUTH_WRONG_SIGNATURE
        ),
    ),
    Mutant(
        "dli-other-algorithm-accepted",
        "dli-auth-signature-malformed",
        DLI,
        "overlooks the name of the algorithm",
        steps=signatures.other_algorithm_accepted,
    ),
    Mutant(
        "dli-malformed-accepted",
        "dli-auth-signature-malformed",
        DLI,
        "accepts an Authorization that lacks a part",
        steps=signatures.instead(Case.AUTH_MALFORMED, signatures.owner_of_path),
    ),
    Mutant(
        "dli-unknown-key-accepted",
        "dli-auth-unknown-key",
        DLI,
        "accepts any access key",
        steps=signatures.unknown_key_accepted,
    ),
    Mutant(
        "dli-signature-not-verified",
        "dli-auth-wrong-key",
        DLI,
        "accepts any signature of the right form",
        steps=signatures.signature(equal=lambda _expected, given: signatures.looks_whole(given)),
        prototype="M10s",
    ),
    Mutant(
        "dli-signature-prefix-accepted",
        "dli-auth-whole-signature",
        DLI,
        "compares only as much of the signature as came",
        steps=signatures.signature(equal=str.startswith),
    ),
    Mutant(
        "dli-signature-last-digit-ignored",
        "dli-auth-whole-signature",
        DLI,
        "does not compare the last digit",
        steps=signatures.signature(equal=signatures.all_but_last),
    ),
    Mutant(
        "dli-stale-date-accepted",
        "dli-auth-stale-date",
        DLI,
        "accepts a date from more than 15 minutes ago",
        steps=signatures.date_accepted(early=True),
    ),
    Mutant(
        "dli-future-date-accepted",
        "dli-auth-stale-date",
        DLI,
        "accepts a date more than 15 minutes ahead",
        steps=signatures.date_accepted(early=False),
    ),
    Mutant(
        "dli-path-not-covered",
        "dli-auth-covers-path",
        DLI,
        "accepts a signature made for another job",
        steps=signatures.also_verifying(signatures.other_path),
    ),
    Mutant(
        "dli-method-not-covered",
        "dli-auth-covers-method",
        DLI,
        "accepts a signature made for another method",
        steps=signatures.also_verifying(signatures.other_method),
    ),
    Mutant(
        "dli-query-not-covered",
        "dli-auth-covers-query",
        DLI,
        "leaves the query out of what is signed",
        steps=signatures.also_verifying(signatures.without_query),
    ),
    Mutant(
        "dli-body-not-covered",
        "dli-auth-covers-body",
        DLI,
        "leaves the body out of what is signed",
        steps=signatures.also_verifying(signatures.without_body),
    ),
    Mutant(
        "dli-header-not-covered",
        "dli-auth-covers-signed-header",
        DLI,
        "does not check a signature that covers a header of the client's own",
        steps=signatures.also_verifying(signatures.unusual_header),
    ),
    Mutant(
        "dli-absent-header-skipped",
        "dli-auth-covers-signed-header",
        DLI,
        "does not check a signature that lists a header which is absent",
        steps=signatures.also_verifying(signatures.absent_header),
    ),
    Mutant(
        "dli-unsigned-date-accepted",
        "dli-auth-date-signed",
        DLI,
        "accepts a signature that does not cover X-Sdk-Date",
        steps=signatures.signature(read=partial(read_claim, date_must_be_signed=False)),
    ),
    Mutant(
        "dli-token-must-be-signed",
        "dli-auth-temporary-key",
        DLI,
        "refuses a security token that is not signed",
        steps=signatures.requiring(signatures.security_token_signed, Case.AUTH_SECURITY_TOKEN),
    ),
    Mutant(
        "dli-temporary-key-without-token",
        "dli-auth-temporary-key-needs-token",
        DLI,
        "accepts a temporary key without its token",
        steps=signatures.security_token_accepted(absent=True),
    ),
    Mutant(
        "dli-temporary-key-any-token",
        "dli-auth-temporary-key-needs-token",
        DLI,
        "accepts a temporary key with another token",
        steps=signatures.security_token_accepted(absent=False),
    ),
    Mutant(
        "dli-expired-temporary-key",
        "dli-auth-temporary-key-needs-token",
        DLI,
        "accepts a temporary key past its end",
        steps=signatures.expired_temporary_key,
    ),
    Mutant(
        "dli-forwarded-host-trusted",
        "dli-auth-covers-signed-header",
        DLI,
        "checks the signature with the host that X-Forwarded-Host names",
        steps=signatures.also_verifying(signatures.forwarded_host),
    ),
    Mutant(
        "dli-signed-values-interchangeable",
        "dli-auth-covers-signed-header",
        DLI,
        "accepts two signed headers with their values swapped",
        steps=signatures.also_verifying(signatures.values_swapped),
    ),
)
