"""Write the report as one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from calloff.verify.reports import words
from calloff.verify.reports.data import VERDICTS

_WORST = ("violated", "held", "skipped")


def to_html(data: dict[str, Any]) -> str:
    """Return the page; every value is escaped by the template engine, nothing is loaded from elsewhere."""
    style, script = (_asset(f"report.{kind}") for kind in ("css", "js"))
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            data=data,
            words=words,
            verdicts=VERDICTS,
            operations=list(dict.fromkeys(row["operation"] for row in data["results"])),
            rows={(row["requirement"], row["operation"]): row for row in data["results"]},
            broken=words.broken(data),
            heat=_heat(data),
            silent=_silent(data),
            style=style,
            script=script,
            style_digest=_digest(style),
            script_digest=_digest(script),
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("calloff.verify.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    return (files("calloff.verify.reports") / "templates" / name).read_text("utf-8").strip()


def _digest(text: str) -> str:
    """Return the source expression of a Content-Security-Policy that allows *text* and nothing else."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _silent(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each choice that was seen at a silent point, with the operations that made it."""
    operations: dict[tuple[str, str], list[str]] = defaultdict(list)
    for point in data["silent_points"]:
        for target in data["targets"]:
            for operation, choice in target["observed"].get(point, {}).items():
                operations[point, choice].append(operation)
    return [
        {"point": point, "choice": choice, "operations": by} for (point, choice), by in operations.items()
    ]


def _heat(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a map for each operation: its credentials, its states, and what came of each pair."""
    places = {
        case: f"{row['requirement']}--{row['operation'].replace('/', '--')}"
        for row in data["results"]
        for violation in row["violations"]
        for case in violation["cases"]
    }
    by_operation: dict[str, dict[tuple[str, str], list[dict[str, Any]]]] = {}
    for cell in data["cells"]:
        pairs = by_operation.setdefault(cell["operation"], defaultdict(list))
        pairs[cell["credential"], cell["state"]].append(cell)
    return [
        {
            "operation": operation,
            "credentials": list(dict.fromkeys(credential for credential, _ in pairs)),
            "states": list(dict.fromkeys(state for _, state in pairs)),
            "pairs": {pair: _pair(cells, places) for pair, cells in pairs.items()},
            "cells": len(own := [cell for cells in pairs.values() for cell in cells]),
            **{name: sum(cell["verdict"] == name for cell in own) for name in ("violated", "skipped")},
        }
        for operation, pairs in by_operation.items()
    ]


def _pair(cells: list[dict[str, Any]], places: dict[str, str]) -> dict[str, Any]:
    """Sum up the cells of one credential and one state, the worst verdict first."""
    verdict = next(verdict for verdict in _WORST if any(cell["verdict"] == verdict for cell in cells))
    alike = [cell for cell in cells if cell["verdict"] == verdict]
    return {
        "verdict": verdict,
        "count": len(alike),
        "of": len(cells),
        "statuses": sorted({cell["status"] for cell in cells if cell["status"] is not None}),
        "place": next((places[cell["case"]] for cell in alike if cell["case"] in places), ""),
        "shapes": ", ".join(
            f"{cell['shape']} {cell['verdict']} {cell['status'] or ''}".strip() for cell in cells
        ),
    }
