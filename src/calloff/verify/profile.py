"""Write what a server chose where the vendors are silent, so that the mock can behave like it."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

from calloff.verify.reports.data import document_version, observed, printable, redactor_of

if TYPE_CHECKING:
    from calloff.verify.engine import Run

PROFILE_FORMAT = 1


def write(run: Run) -> str:
    """Write the profile of the servers that *run* verified, in the form of ``spec/verify/profile.schema.json``.

    A choice that the table of silent points does not list is kept: it is what nobody knew so far.
    """
    redactor = redactor_of(run)
    choices: dict[str, dict[str, str]] = {}
    for outcome in run.outcomes.values():
        for point, by_operation in observed(outcome, redactor).items():
            choices.setdefault(point, {}).update(by_operation)
    content = {
        "format": PROFILE_FORMAT,
        "suite": {
            "name": "calloff",
            "version": version("calloff"),
            "catalogue": run.catalogue.digest,
            "contract": {target.api.name: document_version(target.api.name) for target in run.targets},
        },
        "observed": {point: dict(sorted(choices[point].items())) for point in sorted(choices)},
    }
    return json.dumps(printable(content), indent=1, ensure_ascii=False) + "\n"
