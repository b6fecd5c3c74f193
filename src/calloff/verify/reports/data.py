"""Turn a run into one plain structure, secrets removed; every report is a view of it.

Its form is published: ``spec/verify/report.schema.json``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from calloff.verify.expectations import covering
from calloff.verify.judge import document_of
from calloff.verify.provider_states import ProviderStates
from calloff.verify.redact import Redactor
from calloff.verify.reports.violations import grouped
from calloff.verify.reports.words import headline
from calloff.verify.selection import wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calloff.apis import ApiName
    from calloff.verify.engine import Run
    from calloff.verify.expectations import Expectation
    from calloff.verify.outcome import Outcome
    from calloff.verify.target import Target

FORMAT_VERSION = 2
VERDICTS = ("held", "violated", "known failure", "unexpected pass", "skipped", "not run")
_SHOWN_CASES = 20
# Control characters but tab and line feed, and those that change the direction of text.
_UNSEEN = {
    number: f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
    for number in (
        *range(9),
        *range(11, 32),
        *range(127, 160),
        *range(0x200E, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    )
}


def report(
    run: Run,
    *,
    exit_status: int,
    strict: bool = False,
    expectations: Sequence[Expectation] = (),
    today: date | None = None,
) -> dict[str, Any]:
    """Return the report of *run* as JSON-able data.

    *strict* tells whether SHOULD requirements counted for *exit_status*; *expectations* are the known failures;
    whether one has expired is decided by *today*.
    """
    day = today or date.today()
    redactor = redactor_of(run)
    results = _results(run, redactor, expectations, day)
    shown = {row["requirement"] for row in results}
    outcomes = [
        (target, outcome)
        for target in run.targets
        if (outcome := run.outcomes.get(target.api.name)) is not None
    ]
    points = {point for _, outcome in outcomes for point in outcome.observed}
    content = {
        "format": FORMAT_VERSION,
        "suite": {
            "name": "calloff",
            "version": version("calloff"),
            "catalogue": run.catalogue.digest,
            "contract": {target.api.name: document_version(target.api.name) for target in run.targets},
        },
        "date": day.isoformat(),
        "seed": run.seed,
        "budget": run.budget,
        "workers": run.workers,
        "layers": list(run.layers),
        "live": run.live,
        "selection": {
            "operations": list(run.operations),
            "requirements": list(run.only),
            "level": run.level,
            "case": run.case,
        },
        "seconds": round(run.seconds, 3),
        "strict": strict,
        "exit_status": exit_status,
        "stopped": redactor.text(run.stopped),
        "targets": [_target(target, outcome, redactor) for target, outcome in outcomes],
        "totals": {verdict: sum(row["verdict"] == verdict for row in results) for verdict in VERDICTS},
        "requirements": {
            requirement.id: {
                "level": requirement.level,
                "statement": requirement.statement,
                "sources": [dict(source) for source in requirement.sources],
            }
            for requirement in run.catalogue.requirements.values()
            if requirement.id in shown
        },
        "silent_points": {
            point.id: {"question": point.question, "choices": dict(point.choices)}
            for point in run.catalogue.silent_points.values()
            if point.id in points
        },
        "results": results,
        "expectations": [_expectation(each, results, day) for each in expectations],
        "cells": [asdict(cell) for _, outcome in outcomes for cell in outcome.cells],
    }
    content["headline"] = headline(content)
    return printable(content)  # type: ignore[no-any-return]


def redactor_of(run: Run) -> Redactor:
    """Return what removes every secret that *run* used."""
    return Redactor(secret for target in run.targets for secret in target.secrets())


def printable(value: Any) -> Any:
    """Write out what a terminal would obey, a reader would not see, or no file could hold."""
    if isinstance(value, str):
        text = value.replace("\r\n", "\n").translate(_UNSEEN)
        return text.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return [printable(item) for item in value] if isinstance(value, list) else value


def to_json(data: dict[str, Any]) -> str:
    """Write *data* as the JSON report, each cell of the heat map on a line of its own."""
    frame = json.dumps({**data, "cells": []}, indent=1, ensure_ascii=False)
    lines = ",\n".join(f"  {json.dumps(cell, ensure_ascii=False)}" for cell in data["cells"])
    # No text can hold this: inside one the quotes are escaped.
    return frame.replace('"cells": []', f'"cells": [\n{lines}\n ]' if lines else '"cells": []') + "\n"


def document_version(api_name: ApiName) -> str:
    """Return the version that the document of an API gives itself."""
    return str(document_of(api_name).content["info"]["version"])


def _target(target: Target, outcome: Outcome, redactor: Redactor) -> dict[str, Any]:
    url = target.states.url if isinstance(target.states, ProviderStates) else None
    return {
        "api": target.api.name,
        "base_url": target.base_url,
        "host": target.authority,
        "jobs": None if target.states is None else "provider states" if url else "file",
        "provider_states": url,
        "clock_skew": target.clock_skew,
        "checks_run": outcome.checks_run,
        "requests": outcome.requests,
        "accepted": outcome.accepted,
        "observed": observed(outcome, redactor),
    }


def observed(outcome: Outcome, redactor: Redactor) -> dict[str, dict[str, str]]:
    """Return the choices seen where the vendors are silent: point, operation, choice."""
    return {
        point: {operation: redactor.text(choice) for operation, choice in sorted(choices.items())}
        for point, choices in sorted(outcome.observed.items())
    }


def _results(
    run: Run, redactor: Redactor, expectations: Sequence[Expectation], today: date
) -> list[dict[str, Any]]:
    results = []
    operations = [operation for target in run.targets for operation in run.chosen(target)]
    chosen = wanted(run.catalogue, run.only, run.level)
    for requirement in run.catalogue.requirements.values():
        if requirement.binds != "server" or not (chosen is None or requirement.id in chosen):
            continue
        for operation in operations:
            outcome = run.outcomes.get(operation.api)
            if outcome is None or not requirement.applies_to(operation.key):
                continue
            expectation = covering(expectations, requirement.id, operation.key, today)
            verdict = outcome.verdict(requirement.id, operation.key)
            if run.case is not None and verdict == "not run":
                continue
            if expectation is not None and not expectation.expired(today):
                verdict = {"violated": "known failure", "held": "unexpected pass"}.get(verdict, verdict)
            results.append(
                {
                    "requirement": requirement.id,
                    "level": requirement.level,
                    "operation": operation.key,
                    "verdict": verdict,
                    "exercised": outcome.exercised[requirement.id, operation.key],
                    "violations": grouped(outcome.violated(requirement.id, operation.key), redactor),
                    "skips": _skips(outcome, requirement.id, operation.key, redactor),
                    "expectation": expectation
                    and {
                        "reason": expectation.reason,
                        "expires": expectation.expires.isoformat(),
                        "expired": expectation.expired(today),
                    },
                }
            )
    return results


def _expectation(expectation: Expectation, results: Sequence[dict[str, Any]], today: date) -> dict[str, Any]:
    verdicts = {row["verdict"] for row in results if expectation.covers(row["requirement"], row["operation"])}
    outcomes = ("known failure", "unexpected pass")
    return {
        "requirement": expectation.requirement,
        "operation": expectation.operation,
        "reason": expectation.reason,
        "expires": expectation.expires.isoformat(),
        "outcome": "expired"
        if expectation.expired(today)
        else next((outcome for outcome in outcomes if outcome in verdicts), "not verified"),
    }


def _skips(outcome: Outcome, requirement: str, operation: str, redactor: Redactor) -> list[dict[str, Any]]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for skip in outcome.skips:
        if (skip.requirement, skip.operation) == (requirement, operation):
            reasons[skip.reason].append(skip.case_id)
    return [
        {"reason": redactor.text(reason), "count": len(cases), "cases": cases[:_SHOWN_CASES]}
        for reason, cases in reasons.items()
    ]
