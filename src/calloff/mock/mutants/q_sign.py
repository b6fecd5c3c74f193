"""Servers of Tencent CI that accept a wrong credential, or refuse a right one."""

from __future__ import annotations

from calloff.mock.mutants.mutant import CI, Mutant
from calloff.mock.mutations import signatures
from calloff.mock.pipeline import Case

ROWS = (
    # authentication, CI
    Mutant(
        "ci-unsigned-accepted",
        "ci-auth-missing",
        CI,
        "accepts a request without a signature",
        steps=signatures.instead(Case.AUTH_MISSING, signatures.owner_of_path),
        prototype="X12",
    ),
    Mutant(
        "ci-malformed-accepted",
        "ci-auth-malformed",
        CI,
        "accepts an Authorization that is no q-sign string",
        steps=signatures.instead(Case.AUTH_MALFORMED, signatures.owner_of_path),
    ),
    Mutant(
        "ci-other-algorithm-accepted",
        "ci-auth-malformed",
        CI,
        "overlooks the name of the algorithm",
        steps=signatures.other_algorithm_accepted,
    ),
    Mutant(
        "ci-unknown-key-accepted",
        "ci-auth-unknown-key",
        CI,
        "accepts any key id",
        steps=signatures.unknown_key_accepted,
    ),
    Mutant(
        "ci-signature-not-verified",
        "ci-auth-wrong-key",
        CI,
        "accepts any signature of the right form",
        steps=signatures.signature(equal=lambda _expected, given: signatures.looks_whole(given)),
        prototype="X06",
    ),
    Mutant(
        "ci-signature-prefix-accepted",
        "ci-auth-whole-signature",
        CI,
        "compares only as much of the signature as came",
        steps=signatures.signature(equal=str.startswith),
    ),
    Mutant(
        "ci-signature-last-digit-ignored",
        "ci-auth-whole-signature",
        CI,
        "does not compare the last digit",
        steps=signatures.signature(equal=signatures.all_but_last),
    ),
    Mutant(
        "ci-expired-accepted",
        "ci-auth-expired",
        CI,
        "accepts a signature past its end",
        steps=signatures.signature(check_time=lambda _exchange, _claim: None),
        prototype="X05",
    ),
    Mutant(
        "ci-path-not-covered",
        "ci-auth-covers-path",
        CI,
        "accepts a signature made for another job",
        steps=signatures.also_verifying(signatures.other_path),
    ),
    Mutant(
        "ci-method-not-covered",
        "ci-auth-covers-method",
        CI,
        "accepts a signature made for another method",
        steps=signatures.also_verifying(signatures.other_method),
    ),
    Mutant(
        "ci-header-not-covered",
        "ci-auth-covers-signed-header",
        CI,
        "does not check a signature that covers a header of the client's own",
        steps=signatures.also_verifying(signatures.unusual_header),
    ),
    Mutant(
        "ci-absent-header-skipped",
        "ci-auth-covers-signed-header",
        CI,
        "does not check a signature that lists a header which is absent",
        steps=signatures.also_verifying(signatures.absent_header),
    ),
    Mutant(
        "ci-parameter-not-covered",
        "ci-auth-covers-signed-parameter",
        CI,
        "does not check a signature that covers a parameter of the client's own",
        steps=signatures.also_verifying(signatures.unusual_parameter),
    ),
    Mutant(
        "ci-key-time-not-covered",
        "ci-auth-covers-key-time",
        CI,
        "accepts a signature made for an hour that began within the last two",
        steps=signatures.also_verifying(signatures.earlier_hour),
    ),
    Mutant(
        "ci-host-must-be-signed",
        "ci-auth-client-chooses-what-is-signed",
        CI,
        "refuses a signature that does not cover Host",
        steps=signatures.requiring(lambda _exchange, claim: "host" in claim.headers, Case.AUTH_MALFORMED),
    ),
    Mutant(
        "ci-query-form-refused",
        "ci-auth-query-form",
        CI,
        "refuses a signature in the query",
        steps=signatures.requiring(lambda _exchange, claim: not claim.in_query, Case.AUTH_MISSING),
    ),
    Mutant(
        "ci-query-form-not-found",
        "ci-auth-query-form",
        CI,
        "finds no job where the signature stands in the query",
        steps=signatures.requiring(lambda _exchange, claim: not claim.in_query, Case.UNKNOWN_JOB),
    ),
    Mutant(
        "ci-cos-token-refused",
        "ci-auth-temporary-key",
        CI,
        "does not know x-cos-security-token",
        steps=signatures.requiring(
            lambda exchange, _claim: not exchange.all(b"x-cos-security-token"), Case.AUTH_SECURITY_TOKEN
        ),
    ),
    Mutant(
        "ci-token-must-be-signed",
        "ci-auth-temporary-key",
        CI,
        "refuses a security token that is not signed",
        steps=signatures.requiring(signatures.security_token_signed, Case.AUTH_SECURITY_TOKEN),
    ),
    Mutant(
        "ci-temporary-key-without-token",
        "ci-auth-temporary-key-needs-token",
        CI,
        "accepts a temporary key without its token",
        steps=signatures.security_token_accepted(absent=True),
    ),
    Mutant(
        "ci-temporary-key-any-token",
        "ci-auth-temporary-key-needs-token",
        CI,
        "accepts a temporary key with another token",
        steps=signatures.security_token_accepted(absent=False),
    ),
    Mutant(
        "ci-expired-temporary-key",
        "ci-auth-temporary-key-needs-token",
        CI,
        "accepts a temporary key past its end",
        steps=signatures.expired_temporary_key,
    ),
    Mutant(
        "ci-forwarded-host-trusted",
        "ci-auth-covers-signed-header",
        CI,
        "checks the signature with the host that X-Forwarded-Host names",
        steps=signatures.also_verifying(signatures.forwarded_host),
    ),
    Mutant(
        "ci-signed-values-interchangeable",
        "ci-auth-covers-signed-header",
        CI,
        "accepts two signed headers with their values swapped",
        steps=signatures.also_verifying(signatures.values_swapped),
    ),
)
