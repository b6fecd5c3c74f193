"""Servers that go wrong between requests: races, and what is written on a connection."""

from __future__ import annotations

from calloff.mock.mutants.mutant import ALL, BATCH, Mutant
from calloff.mock.mutations import connections

ROWS = (
    Mutant(
        "second-of-two-faults",
        "concurrent-cancels-agree",
        ALL,
        "faults on a cancel that meets another one of the same job",
        around=lambda: connections.racing(connections.second_faults),
    ),
    Mutant(
        "two-cancels-undo-each-other",
        "concurrent-cancels-agree",
        ALL,
        "brings a job back that is cancelled twice at the same time",
        around=lambda: connections.racing(connections.cancel_lost),
    ),
    Mutant(
        "content-length-short",
        "answer-is-framed",
        ALL,
        "names a Content-Length below the length of an error",
        connect=connections.answering(connections.length_off(-5)),
    ),
    Mutant(
        "content-length-long",
        "answer-is-framed",
        ALL,
        "names a Content-Length above the length of an error",
        connect=connections.answering(connections.length_off(5)),
    ),
    Mutant(
        "refused-credential-cut-short",
        "answer-is-framed",
        ALL,
        "cuts the refusal of a credential short, and no other answer",
        connect=connections.answering(connections.length_off(10, 401, 403)),
    ),
    Mutant(
        "head-answered-with-body",
        "answer-is-framed",
        ALL,
        "sends a body with an answer to HEAD",
        connect=connections.answering(connections.body_to_head),
    ),
    Mutant(
        "error-sent-twice",
        "keep-alive-after-error",
        ALL,
        "sends an error twice",
        connect=connections.answering(connections.twice),
    ),
    Mutant(
        "old-answer-repeated",
        "keep-alive-after-error",
        ALL,
        "sends an error again as the answer to the next request",
        connect=connections.answering(connections.once_more),
    ),
    Mutant(
        "silent-after-error",
        "keep-alive-after-error",
        BATCH,
        "answers nothing more on a connection after an error",
        connect=connections.answering(connections.silent_afterwards),
    ),
)
