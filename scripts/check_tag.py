"""Check that a commit is the release that its tag names; the release workflow runs it before anything else.

``python scripts/check_tag.py vVERSION``: the version of the package is that of the tag, ``CHANGELOG.md`` has it
once, at its head and with a date, and no fragment is left in ``changes/``.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^## (\S+) \((.+)\)$", re.MULTILINE)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def main(arguments: list[str] | None = None, checkout: Path = ROOT) -> int:
    """Compare the checkout with the tag, and tell what does not agree."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1 or given[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    findings = disagreements(given[0], checkout)
    for finding in findings:
        print(f"check_tag: {finding}", file=sys.stderr)
    return 1 if findings else 0


def disagreements(tag: str, checkout: Path) -> list[str]:
    """List what of a checkout does not agree with the tag."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    headings = HEADING.findall((checkout / "CHANGELOG.md").read_text(encoding="utf-8"))
    left = sorted(path.name for path in (checkout / "changes").iterdir() if path.name != "README.md")
    findings = []
    if tag != f"v{project['version']}":
        findings.append(f"the tag is {tag}, the version of the package {project['version']}")
    if not headings or f"v{headings[0][0]}" != tag or not DATE.fullmatch(headings[0][1]):
        findings.append(f"CHANGELOG.md does not begin with '## {tag[1:]} (YYYY-MM-DD)'")
    if [f"v{name}" for name, _ in headings].count(tag) > 1:
        findings.append(f"CHANGELOG.md has {tag[1:]} more than once")
    if left:
        findings.append(f"changes/ still holds {', '.join(left)}; run towncrier build")
    return findings


if __name__ == "__main__":
    sys.exit(main())
