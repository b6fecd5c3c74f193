"""Servers that read a request wrongly."""

from __future__ import annotations

from calloff.mock.mutants.mutant import ALL, CI, DLI, Mutant
from calloff.mock.mutations import answers, routes
from calloff.mock.pipeline import Case

ROWS = (
    # methods and paths
    Mutant(
        "get-cancels",
        "other-method-cancels-nothing",
        ALL,
        "takes GET for the documented method",
        route=routes.any_method("GET"),
        prototype="M09",
    ),
    Mutant(
        "post-cancels",
        "other-method-cancels-nothing",
        ALL,
        "takes POST for the documented method",
        route=routes.any_method("POST"),
    ),
    Mutant(
        "dli-trailing-slash-accepted",
        "dli-unknown-path",
        DLI,
        "overlooks a slash at the end of the path",
        route=routes.other_path_shape(rb"/"),
    ),
    Mutant(
        "dli-wrong-method-405",
        "dli-unknown-path",
        DLI,
        "answers another method with 405, number 0501",
        steps=answers.refusing(answers.quota_used_up, Case.WRONG_METHOD),
    ),
    # query and headers
    Mutant(
        "ci-cancel-not-needed",
        "ci-cancel-only-with-parameter",
        CI,
        "cancels without the parameter cancel",
        steps=routes.query_checked(routes.cancel_not_needed),
        prototype="X01",
    ),
    Mutant(
        "ci-bare-cancel-refused",
        "ci-cancel-bare",
        CI,
        "refuses ?cancel",
        steps=routes.query_checked(routes.refusing_query(b"cancel")),
    ),
    Mutant(
        "ci-empty-cancel-refused",
        "ci-cancel-empty-value",
        CI,
        "refuses ?cancel=",
        steps=routes.query_checked(routes.refusing_query(b"cancel=")),
    ),
    Mutant(
        "dli-content-type-refused",
        "dli-empty-body-with-content-type",
        DLI,
        "refuses a Content-Type without a body",
        steps=routes.query_checked(routes.content_type_refused),
    ),
    Mutant(
        "head-cancels",
        "other-method-cancels-nothing",
        ALL,
        "takes HEAD for the documented method",
        route=routes.any_method("HEAD"),
    ),
    Mutant(
        "patch-cancels",
        "other-method-cancels-nothing",
        ALL,
        "takes PATCH for the documented method",
        route=routes.any_method("PATCH"),
    ),
    Mutant(
        "method-override-obeyed",
        "other-method-cancels-nothing",
        ALL,
        "believes X-HTTP-Method-Override",
        route=routes.method_overridden,
    ),
    Mutant(
        "percent-encoding-kept",
        "percent-encoded-letter",
        ALL,
        "does not decode the id",
        route=routes.id_not_decoded,
    ),
    Mutant(
        "ci-repeated-cancel-500",
        "no-server-fault",
        CI,
        "faults on ?cancel&cancel",
        steps=routes.faulting_on(r"[?&]cancel&cancel"),
    ),
    Mutant(
        "long-id-500",
        "no-server-fault",
        ALL,
        "faults on an id of more than a thousand letters",
        steps=routes.faulting_on(r"^[^?]{1000}"),
    ),
    Mutant(
        "unicode-id-500",
        "no-server-fault",
        ALL,
        "faults on a letter beyond the first plane of Unicode",
        steps=routes.faulting_on("[\U00010000-\U0010ffff]"),
    ),
    Mutant(
        "dli-broken-percent-500",
        "no-server-fault",
        DLI,
        "faults on a percent sign that begins no encoded byte",
        steps=routes.faulting_on("%(?![0-9A-Fa-f]{2})"),
    ),
)
