"""The sentences that every view of a report shares."""

from __future__ import annotations

from typing import Any

from calloff.verify.checks import LAYERS
from calloff.verify.reports.violations import GRAVITIES

NOTHING_ACCEPTED = "no cancel was ever accepted"
_UNCHECKED = frozenset({"skipped", "not run"})
_HELD = frozenset({"held", "unexpected pass"})


def headline(data: dict[str, Any]) -> str:
    """Say the verdict on the whole run in one sentence that claims no more than was checked."""
    counts = ", ".join(_exceptions(data))
    if data["stopped"]:
        return f"Not verified: {data['stopped']}" + (f"; {counts}" if counts else "")
    if data["exit_status"] == 1:
        return f"Does not conform: {counts}"
    if data["exit_status"] != 0:
        tried = any(row["exercised"] for row in data["results"])
        reason = NOTHING_ACCEPTED if tried else "nothing was put to the test"
        return f"Not verified: {reason}" + (f"; {counts}" if counts else "")
    return _conforms(data) + (f"; {counts}" if counts else "")


def _conforms(data: dict[str, Any]) -> str:
    checked = [row for row in data["results"] if row["verdict"] not in _UNCHECKED]
    if not checked:
        return "Nothing was checked"
    if all(row["verdict"] in _HELD for row in checked):
        return "Conforms to every requirement" + ("" if _whole(data) else " that was checked")
    if not data["strict"] and all(row["level"] != "MUST" for row in checked):
        return "No MUST was checked"
    known = any(row["verdict"] == "known failure" for row in checked)
    about = "requirement" if data["strict"] else "MUST"
    return f"Conforms to every {about} that was checked" + (", known failures aside" if known else "")


def _whole(data: dict[str, Any]) -> bool:
    """Tell whether every requirement was put to the test wherever the suite can."""
    chosen = any(data["selection"].values()) or data["live"] or len(data["layers"]) < len(LAYERS)
    return not chosen and not any(row["verdict"] in _UNCHECKED or row["skips"] for row in data["results"])


def _exceptions(data: dict[str, Any]) -> list[str]:
    """Count what a claim that all is well must not pass over in silence."""
    rows = data["results"]
    broken = [row["level"] for row in rows if row["verdict"] == "violated"]
    parts = [
        f"{count} {level}{'s' if count > 1 else ''} violated"
        for level in ("MUST", "SHOULD")
        if (count := broken.count(level))
    ]
    for one, many, verdicts in (
        ("known failure", "known failures", {"known failure"}),
        ("unexpected pass", "unexpected passes", {"unexpected pass"}),
        ("not checked", "not checked", _UNCHECKED),
    ):
        if count := sum(row["verdict"] in verdicts for row in rows):
            parts.append(f"{count} {one if count == 1 else many}")
    return parts


def tone(data: dict[str, Any]) -> str:
    """Return the verdict whose colour the headline has: all is well, something is broken, or it did not conform."""
    if data["exit_status"]:
        return "violated"
    return "skipped" if any(row["violations"] for row in data["results"]) else "held"


def counts_for_exit(data: dict[str, Any], row: dict[str, Any]) -> bool:
    """Tell whether the violation in *row*, a result, counts for the exit status."""
    return bool(row["verdict"] == "violated" and (row["level"] == "MUST" or data["strict"]))


def broken(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the results with violations: known failures last, the gravest first, a MUST before a SHOULD."""
    return sorted(
        (row for row in data["results"] if row["violations"]),
        key=lambda row: (
            row["verdict"] != "violated",
            GRAVITIES.index(row["violations"][0]["gravity"]),
            row["level"] != "MUST",
        ),
    )


def found_by(violation: dict[str, Any]) -> str:
    """Name the layers that found *violation*, a group of a result, and how often each did."""
    return ", ".join(
        f"{layer} ({count} times)" if count > 1 else layer for layer, count in violation["layers"].items()
    )


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


def skip_reasons(data: dict[str, Any]) -> list[tuple[str, bool, list[str]]]:
    """Return each reason why something was skipped, whether only in part, and the requirements concerned.

    In part: the requirement was put to the test all the same, in other cases.
    """
    reasons: dict[tuple[bool, str], set[str]] = {}
    for row in data["results"]:
        for skip in row["skips"]:
            in_part = row["verdict"] not in _UNCHECKED
            reasons.setdefault((in_part, skip["reason"]), set()).add(row["requirement"])
    whole_first = sorted(reasons.items(), key=lambda item: item[0][0])
    return [(reason, in_part, sorted(names)) for (in_part, reason), names in whole_first]
