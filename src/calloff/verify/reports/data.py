"""Turn a run into one plain structure, secrets removed; every report is a view of it."""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from calloff.verify.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calloff.verify.engine import Run
    from calloff.verify.outcome import Outcome, Violation

FORMAT_VERSION = 1
_SHOWN_CASES = 20
# Control characters but tab and line feed, and those that change the direction of text.
_UNSEEN = {
    number: f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
    for number in (
        *range(9),
        *range(11, 32),
        *range(127, 160),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
}


def report(run: Run, *, exit_status: int) -> dict[str, Any]:
    """Return the report of *run* as JSON-able data."""
    redactor = Redactor(secret for target in run.targets for secret in target.secrets())
    results, totals = [], dict.fromkeys(("held", "violated", "skipped", "not run"), 0)
    operations = [operation for target in run.targets for operation in run.chosen(target)]
    for requirement in run.catalogue.requirements.values():
        if requirement.binds != "server":
            continue
        for operation in operations:
            outcome = run.outcomes.get(operation.api)
            if outcome is None or not requirement.applies_to(operation.key):
                continue
            verdict = outcome.verdict(requirement.id, operation.key)
            totals[verdict] += 1
            results.append(
                {
                    "requirement": requirement.id,
                    "level": requirement.level,
                    "operation": operation.key,
                    "verdict": verdict,
                    "exercised": outcome.exercised[requirement.id, operation.key],
                    "violations": _violations(outcome.violated(requirement.id, operation.key), redactor),
                    "skips": _skips(outcome, requirement.id, operation.key, redactor),
                }
            )
    content = {
        "format": FORMAT_VERSION,
        "suite": {"name": "calloff", "version": version("calloff"), "catalogue": run.catalogue.digest},
        "seed": run.seed,
        "seconds": round(run.seconds, 3),
        "exit_status": exit_status,
        "stopped": redactor.text(run.stopped),
        "targets": [
            {
                "api": target.api.name,
                "base_url": target.base_url,
                "host": target.authority,
                "provider_states": target.states.url if target.states else None,
                "checks_run": outcome.checks_run,
                "requests": outcome.requests,
                "accepted": outcome.accepted,
                "observed": {
                    point: {operation: redactor.text(choice) for operation, choice in choices.items()}
                    for point, choices in sorted(outcome.observed.items())
                },
            }
            for target in run.targets
            if (outcome := run.outcomes.get(target.api.name)) is not None
        ],
        "totals": totals,
        "requirements": {
            requirement.id: {
                "level": requirement.level,
                "statement": requirement.statement,
                "sources": [dict(source) for source in requirement.sources],
            }
            for requirement in run.catalogue.requirements.values()
            if any(row["requirement"] == requirement.id for row in results)
        },
        "results": results,
    }
    return _printable(content)  # type: ignore[no-any-return]


def _printable(value: Any) -> Any:
    """Write out what a terminal would obey, a reader would not see, or no file could hold."""
    if isinstance(value, str):
        text = value.replace("\r\n", "\n").translate(_UNSEEN)
        return text.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def to_json(data: dict[str, Any]) -> str:
    """Write *data* as the JSON report."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _violations(violations: Sequence[Violation], redactor: Redactor) -> list[dict[str, Any]]:
    """Group equal violations; the smallest request stands for its group."""
    groups: dict[tuple[str, str], list[Violation]] = defaultdict(list)
    for violation in violations:
        groups[violation.layer, violation.expected].append(violation)
    return [
        {
            "layer": layer,
            "expected": redactor.text(expected),
            "received": redactor.text(smallest.received),
            "count": len(group),
            "cases": list(dict.fromkeys(violation.case for violation in group))[:_SHOWN_CASES],
            "request": redactor.request(smallest.exchange.request) if smallest.exchange else "",
            "response": redactor.response(smallest.exchange.response) if smallest.exchange else "",
        }
        for (layer, expected), group in groups.items()
        for smallest in [min(group, key=_size)]
    ]


def _size(violation: Violation) -> int:
    return len(violation.exchange.request.to_bytes()) if violation.exchange else 0


def _skips(outcome: Outcome, requirement: str, operation: str, redactor: Redactor) -> list[dict[str, Any]]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for skip in outcome.skips:
        if (skip.requirement, skip.operation) == (requirement, operation):
            reasons[skip.reason].append(skip.case)
    return [
        {"reason": redactor.text(reason), "count": len(cases), "cases": cases[:_SHOWN_CASES]}
        for reason, cases in reasons.items()
    ]
