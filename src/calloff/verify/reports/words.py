"""The sentences that every view of a report shares."""

from __future__ import annotations

from typing import Any

NOTHING_ACCEPTED = "no cancel was ever accepted"


def headline(data: dict[str, Any]) -> str:
    """Say the verdict on the whole run."""
    if data["stopped"]:
        return f"Not verified: {data['stopped']}"
    if data["exit_status"] == 0:
        return "Conforms"
    if data["exit_status"] == 1:
        return "Does not conform"
    accepted = sum(target["accepted"] for target in data["targets"])
    return "Not verified" if accepted else f"Not verified: {NOTHING_ACCEPTED}"


def totals(data: dict[str, Any]) -> str:
    """Count the verdicts, the requests and the seconds."""
    counts = ", ".join(
        f"{count} {name}" for name, count in data["totals"].items() if count or name in {"held", "violated"}
    )
    requests = sum(target["requests"] for target in data["targets"])
    accepted = sum(target["accepted"] for target in data["targets"])
    return f"{counts}; {requests} requests, {accepted} cancels accepted, {data['seconds']:.1f} s"


def sources(requirement: dict[str, Any]) -> str:
    """Say who demands *requirement*, an entry of the report's requirements."""
    return "; ".join(
        f"{source['source']}, {source['locator']} ({source['status']})" for source in requirement["sources"]
    )


def skip_reasons(data: dict[str, Any]) -> dict[str, list[str]]:
    """Return the requirements that were skipped in part or whole, by reason."""
    reasons: dict[str, set[str]] = {}
    for row in data["results"]:
        for skip in row["skips"]:
            reasons.setdefault(skip["reason"], set()).add(row["requirement"])
    return {reason: sorted(names) for reason, names in reasons.items()}
