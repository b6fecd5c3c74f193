"""Write the report as JUnit XML: a suite per operation, a case per requirement.

The form is the one that Jenkins' xUnit plugin checks (junit-10.xsd) and GitLab reads; a case has one failure at most,
since GitLab shows one. A failure is what counts for the exit status; other violations are skipped with words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from calloff.verify.reports.words import counts_for_exit, found_by, sources, totals

_COUNTS = ("failures", "errors", "skipped")


def to_junit(data: dict[str, Any]) -> str:
    """Return the JUnit XML of a report; characters that XML cannot carry are replaced."""
    by_operation: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in data["results"]:
        by_operation[row["operation"]].append(row)
    root = Element("testsuites", name="calloff verify", time=f"{data['seconds']:.3f}")
    sums: Counter[str] = Counter()
    for number, (operation, rows) in enumerate(by_operation.items()):
        suite = SubElement(root, "testsuite", id=str(number), name=operation)
        _properties(suite, data, operation)
        counts = Counter(tests=len(rows))
        for row in rows:
            counts[_case(suite, data, row)] += 1
        SubElement(suite, "system-out").text = _clean(f"{data['headline']}. {totals(data)}")
        _count(suite, counts)
        sums += counts
    if data["stopped"]:
        suite = SubElement(root, "testsuite", name="calloff")
        case = SubElement(suite, "testcase", classname="calloff", name="run")
        SubElement(case, "error", message=_clean(data["stopped"]), type="stopped")
        stopped = Counter(tests=1, errors=1)
        _count(suite, stopped)
        sums += stopped
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sums[name]))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _properties(suite: Element, data: dict[str, Any], operation: str) -> None:
    properties = SubElement(suite, "properties")
    target = next(target for target in data["targets"] if target["api"] == operation.partition("/")[0])
    for name, value in (
        ("base_url", target["base_url"]),
        ("host", target["host"]),
        ("suite", data["suite"]["version"]),
        ("contract", data["suite"]["contract"][target["api"]]),
        ("catalogue", data["suite"]["catalogue"]),
        ("seed", data["seed"]),
        ("budget", data["budget"]),
    ):
        SubElement(properties, "property", name=name, value=_clean(str(value)))


def _case(suite: Element, data: dict[str, Any], row: dict[str, Any]) -> str:
    """Write the case of *row* and return what it counts as."""
    case = SubElement(suite, "testcase", classname=row["operation"], name=row["requirement"])
    verdict, expectation = row["verdict"], row["expectation"]
    if verdict == "violated":
        first, more = row["violations"][0], len(row["violations"]) - 1
        message = f"expected {first['expected']}, received {first['received']}"
        message += f" (and {more} more)" if more else ""
        if counts_for_exit(data, row):
            failure = SubElement(case, "failure", type=row["level"], message=_clean(message))
            failure.text = _clean(_details(data, row))
            return "failures"
        note = f"{row['level']} violated, which counts with --strict only: {message}"
        SubElement(case, "skipped", message=_clean(note))
        SubElement(case, "system-out").text = _clean(_details(data, row))
        return "skipped"
    if verdict in {"held", "unexpected pass"}:
        if verdict == "unexpected pass":
            note = f"unexpected pass; known failure until {expectation['expires']}: {expectation['reason']}"
            SubElement(case, "system-out").text = _clean(note)
        return "held"
    if verdict == "known failure":
        reason = f"known failure until {expectation['expires']}: {expectation['reason']}"
    else:
        reason = "; ".join(skip["reason"] for skip in row["skips"]) or verdict
    SubElement(case, "skipped", message=_clean(reason))
    return "skipped"


def _count(suite: Element, counts: Counter[str]) -> None:
    for name in ("tests", *_COUNTS):
        suite.set(name, str(counts[name]))


def _details(data: dict[str, Any], row: dict[str, Any]) -> str:
    about = data["requirements"][row["requirement"]]
    parts = [f"{row['level']}: {about['statement']}\nsource: {sources(about)}"]
    if row["expectation"]:
        parts.append(
            f"known failure, expired on {row['expectation']['expires']}: {row['expectation']['reason']}"
        )
    parts += [
        f"expected: {violation['expected']}\nreceived: {violation['received']}\n"
        f"found by: {found_by(violation)}\n"
        f"again: calloff verify … --case {violation['case']}\n\n"
        f"{violation['request']}\n\n{violation['response']}"
        for violation in row["violations"]
    ]
    return "\n\n".join(parts)


def _clean(text: str) -> str:
    return "".join(
        c
        if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not 0xD800 <= ord(c) < 0xE000)
        else "�"
        for c in text
    )
