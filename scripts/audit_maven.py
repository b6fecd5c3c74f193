"""Look up what a ``pom.xml`` pins in OSV, the database of https://osv.dev, and write what is known as JSON.

``python scripts/audit_maven.py POM``; ``scripts/audit.py`` runs it. What the pinned artifacts bring along is not looked
up: Maven has no lock file that names it.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

DATABASE = "https://api.osv.dev/v1/querybatch"
SECONDS = 60
NAMESPACE = {"m": "http://maven.apache.org/POM/4.0.0"}
# Elements that pin an artifact: a path is that of a processor of annotations.
KINDS = ("dependency", "plugin", "path")
# Plugins that name no group are Maven's own.
PLUGINS = "org.apache.maven.plugins"


def main() -> int:
    """Print the vulnerabilities of the pins by ``group:artifact version``."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    pinned = pins(Path(sys.argv[1]))
    try:
        known = looked_up(pinned)
    except (OSError, ValueError) as error:
        print(f"{DATABASE}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({f"{name} {version}": ids for (name, version), ids in zip(pinned, known, strict=True)}))
    return 0


def pins(pom: Path) -> list[tuple[str, str]]:
    """List the dependencies and plugins of a project that have a version, as ``group:artifact`` and version."""
    project = ElementTree.parse(pom).getroot()  # noqa: S314 - a file of this repository
    properties = {
        row.tag.partition("}")[2]: (row.text or "").strip()
        for row in project.findall("m:properties/*", NAMESPACE)
    }

    def text(node: ElementTree.Element, name: str) -> str:
        told = (node.findtext(f"m:{name}", "", NAMESPACE)).strip()
        return re.sub(r"\$\{([^}]+)\}", lambda found: properties.get(found[1], found[0]), told)

    own = text(project, "groupId")
    rows = [row for kind in KINDS for row in project.iterfind(f".//m:{kind}", NAMESPACE)]
    named = [(text(row, "groupId") or PLUGINS, text(row, "artifactId"), text(row, "version")) for row in rows]
    listed = {(f"{group}:{name}", version) for group, name, version in named if version and group != own}
    return sorted(listed)


def looked_up(pinned: Sequence[tuple[str, str]], database: str = DATABASE) -> list[list[str]]:
    """Ask the database about artifacts, and give the ids of what is known of each.

    Raises:
        OSError: it cannot be reached, or refuses.
        ValueError: its answer is none to this question.
    """
    queries = [
        {"package": {"ecosystem": "Maven", "name": name}, "version": version} for name, version in pinned
    ]
    request = urllib.request.Request(  # noqa: S310 - the address is the constant above, or a test's
        database, json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        told: Any = json.load(answer)
    results = told.get("results") if isinstance(told, dict) else None
    if not isinstance(results, list) or len(results) != len(pinned):
        raise ValueError("the answer does not have a result for each artifact")
    return [[row["id"] for row in result.get("vulns", ())] for result in results]


if __name__ == "__main__":
    sys.exit(main())
