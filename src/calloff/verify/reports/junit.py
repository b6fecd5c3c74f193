"""Write the report as JUnit XML: a suite per operation, a case per requirement."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring


def to_junit(data: dict[str, Any]) -> str:
    """Return the JUnit XML of a report; characters that XML cannot carry are replaced."""
    by_operation: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in data["results"]:
        by_operation[row["operation"]].append(row)
    root = Element("testsuites", name="calloff verify", time=str(data["seconds"]))
    for operation, rows in by_operation.items():
        suite = SubElement(root, "testsuite", name=operation, tests=str(len(rows)))
        counts = {"failures": 0, "skipped": 0}
        for row in rows:
            case = SubElement(suite, "testcase", classname=operation, name=row["requirement"])
            if row["verdict"] == "violated":
                counts["failures"] += 1
                for violation in row["violations"]:
                    failure = SubElement(case, "failure", message=_clean(f"expected {violation['expected']}"))
                    failure.text = _clean(_details(data, row, violation))
            elif row["verdict"] != "held":
                counts["skipped"] += 1
                reason = "; ".join(skip["reason"] for skip in row["skips"]) or row["verdict"]
                SubElement(case, "skipped", message=_clean(reason))
        for name, count in counts.items():
            suite.set(name, str(count))
        suite.set("errors", "0")
    if data["stopped"]:
        suite = SubElement(
            root, "testsuite", name="calloff", tests="1", failures="0", errors="1", skipped="0"
        )
        case = SubElement(suite, "testcase", classname="calloff", name="run")
        SubElement(case, "error", message=_clean(data["stopped"]))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _details(data: dict[str, Any], row: dict[str, Any], violation: dict[str, Any]) -> str:
    statement = data["requirements"][row["requirement"]]["statement"]
    return (
        f"{row['level']}: {statement}\nexpected: {violation['expected']}\nreceived: {violation['received']}\n"
        f"{violation['count']} times, first in {violation['cases'][0]}\n\n"
        f"{violation['request']}\n\n{violation['response']}"
    )


def _clean(text: str) -> str:
    return "".join(
        c
        if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not 0xD800 <= ord(c) < 0xE000)
        else "�"
        for c in text
    )
