"""Group the violations of one requirement by one operation: the gravest first, what is alike told once."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, get_args

from calloff.verify.judge import RULES
from calloff.verify.outcome import CUT, Gravity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calloff.verify.outcome import Violation
    from calloff.verify.redact import Redactor

GRAVITIES: tuple[Gravity, ...] = get_args(Gravity)
_SHOWN_CASES = 100
_SHOWN_CHARACTERS = 8000
_LEAKS = {"secrets-not-echoed", "no-internals-shown", "no-header-injection"}
_STATUSES = {
    "status-documented",
    "no-server-fault",
    "ci-error-code-has-its-status",
    "dli-error-code-has-its-status",
}
_OF_REQUIREMENT: dict[str, Gravity] = {
    **dict.fromkeys((rule.requirement for rule in RULES), "form"),
    **dict.fromkeys(_LEAKS, "leak"),
    **dict.fromkeys(_STATUSES, "status"),
    "cancel-takes-effect": "state",
    "bystander-untouched": "state",
    "refusal-changes-nothing": "state",
    "cancelled-stays-cancelled": "state",
    "cancel-and-finish-agree": "state",
    "asking-changes-nothing": "state",
    "cancel-accepted": "acceptance",
    "percent-encoded-letter": "acceptance",
}
# These see what the precise layers see, in words that are less so.
_VAGUE_LAYERS = {"model", "fuzz"}


def gravity(violation: Violation) -> Gravity:
    """Return how grave *violation* is: as it says itself, as its requirement says, or by the answer."""
    known = violation.gravity or _OF_REQUIREMENT.get(violation.requirement)
    if known is not None:
        return known
    response = violation.exchange.response if violation.exchange else None
    return "acceptance" if response is not None and 200 <= response.status < 300 else "status"


def grouped(violations: Sequence[Violation], redactor: Redactor) -> list[dict[str, Any]]:
    """Return the groups of *violations*, the gravest first; the smallest request stands for its group.

    Where states and acceptances are wrong, one mistake shows in each state and under each credential, so all of them
    are one group; statuses and forms are alike where the same was expected.
    """
    groups: dict[tuple[int, str], list[Violation]] = defaultdict(list)
    # The precise layers come first, so that what a vague one found joins a group of theirs.
    for violation in sorted(violations, key=_vague):
        rank = GRAVITIES.index(gravity(violation))
        key = (rank, "" if rank < GRAVITIES.index("leak") else violation.expected)
        if _vague(violation):
            key = next((known for known in groups if known[0] == rank), key)
        groups[key].append(violation)
    return [
        _entry(GRAVITIES[key[0]], groups[key], redactor) for key in sorted(groups, key=lambda key: key[0])
    ]


def _entry(kind: str, group: Sequence[Violation], redactor: Redactor) -> dict[str, Any]:
    shown = min(group, key=_telling)
    exchange = shown.exchange
    return {
        "gravity": kind,
        "expected": bounded(redactor.text(shown.expected)),
        "received": bounded(redactor.text(shown.received)),
        "count": len(group),
        "layers": dict(Counter(violation.layer for violation in group)),
        "case": shown.case_id,
        "cases": list(dict.fromkeys(each.case_id for each in (shown, *group)))[:_SHOWN_CASES],
        "request": bounded(redactor.request(exchange.request)) if exchange else "",
        "response": bounded(redactor.response(exchange.response)) if exchange else "",
    }


def _vague(violation: Violation) -> bool:
    return violation.layer in _VAGUE_LAYERS


def _telling(violation: Violation) -> tuple[bool, bool, int]:
    """Sort what shows an exchange first, what a precise layer found before others, then by size."""
    exchange = violation.exchange
    return exchange is None, _vague(violation), len(exchange.request.to_bytes()) if exchange else 0


def bounded(text: str) -> str:
    """Return no more of *text* than a report shows, and how much was left out."""
    left = len(text) - _SHOWN_CHARACTERS
    return text if left <= 0 else f"{text[:_SHOWN_CHARACTERS]}\n{CUT} {left} characters more"
