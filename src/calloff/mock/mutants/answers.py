"""Servers whose answers are wrong in status, or say too much."""

from __future__ import annotations

from calloff.mock.mutants.mutant import ALL, CI, DLI, Mutant
from calloff.mock.mutations import answers
from calloff.mock.pipeline import Case

ROWS = (
    Mutant(
        "unknown-job-500",
        "no-server-fault",
        ALL,
        "faults on a job that was never given out",
        steps=answers.recast(Case.UNKNOWN_JOB, Case.SERVER_FAULT),
        prototype="M07",
    ),
    Mutant(
        "malformed-id-500",
        "no-server-fault",
        ALL,
        "faults on an id that breaks the form",
        steps=answers.recast(Case.MALFORMED_ID, Case.SERVER_FAULT),
    ),
    Mutant(
        "ended-job-409",
        "status-documented",
        ALL,
        "answers 409 for a job that has ended",
        steps=answers.refusing(answers.unlisted(409), Case.NOT_CANCELLABLE),
    ),
    Mutant(
        "unknown-job-418",
        "status-documented",
        ALL,
        "answers 418 for a job that was never given out",
        steps=answers.refusing(answers.unlisted(418), Case.UNKNOWN_JOB),
    ),
    Mutant(
        "ci-code-with-wrong-status",
        "ci-error-code-has-its-status",
        CI,
        "sends MissingAuthorization with 403",
        steps=answers.refusing(answers.status(403), Case.AUTH_MISSING),
    ),
    Mutant(
        "dli-code-with-wrong-status",
        "dli-error-code-has-its-status",
        DLI,
        "sends DLI.0001 with 404",
        steps=answers.refusing(answers.status(404), Case.MALFORMED_ID),
    ),
    Mutant(
        "accepted-202",
        "status-documented",
        ALL,
        "answers an accepted cancel with 202",
        steps=answers.accepting(answers.status(202)),
    ),
    Mutant(
        "accepted-204-with-body",
        "answer-is-framed",
        ALL,
        "answers an accepted cancel with 204, and sends a body",
        steps=answers.accepting(
            answers.both(answers.status(204), answers.content(b"cancelled", b"text/plain"))
        ),
    ),
    Mutant(
        "header-made-of-id",
        "no-header-injection",
        ALL,
        "names the job in a header, line breaks and all",
        steps=answers.id_in_header,
    ),
    Mutant(
        "credential-echoed",
        "secrets-not-echoed",
        ALL,
        "repeats Authorization and X-Auth-Token in a refusal",
        steps=answers.telling(answers.credential_of),
    ),
    Mutant(
        "right-signature-told",
        "secrets-not-echoed",
        ALL,
        "tells which signature would have been right",
        steps=answers.telling(answers.right_signature),
    ),
    Mutant(
        "stack-trace-shown",
        "no-internals-shown",
        ALL,
        "shows a stack trace for a job that was never given out",
        steps=answers.telling(answers.stack_trace),
    ),
)
