"""Look up every pinned dependency in the databases of known vulnerabilities; ``nox -s audit`` runs it.

Python by pip-audit, JavaScript by npm audit, Go by govulncheck, Java by ``audit_maven.py``. Exit status: 0 nothing is
known, 1 something is, 2 a database could not be asked, which is told: no answer is not a good answer.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GOVULNCHECK = Path(__file__).resolve().parent / "vulncheck"
MAVEN = Path(__file__).resolve().parent / "audit_maven.py"
SECONDS = 300


@dataclass(frozen=True)
class Answer:
    """What a database knows of what one file pins; ``unasked`` says why it could not be asked, if so."""

    findings: tuple[str, ...] = ()
    unasked: str = ""


Reader = Callable[[str, str], Answer]


@dataclass(frozen=True)
class Audit:
    """One run of an auditor: of which file, by which command, and who reads what it writes."""

    name: str
    command: tuple[str, ...]
    folder: Path
    read: Reader


def main() -> int:
    """Ask about every file that pins something, and print what is known."""
    answers = [answered(audit) for audit in audits()]
    if any(answer.findings for answer in answers):
        return 1
    return 2 if any(answer.unasked for answer in answers) else 0


def audits() -> Iterator[Audit]:
    """List what is to be asked: each lock of Python, each lock of npm, each module of Go, each project of Maven."""
    pip_audit = (sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes")
    for name in _tracked("requirements/*.txt"):
        asked = ("--progress-spinner", "off", "--format", "json", "--requirement", str(ROOT / name))
        yield Audit(name, (*pip_audit, *asked), ROOT, of_pip_audit)
    for name in _tracked("package-lock.json", "**/package-lock.json"):
        command = ("npm", "audit", "--package-lock-only", "--json")
        yield Audit(name, command, (ROOT / name).parent, of_npm_audit)
    for name in _tracked("**/go.mod"):
        if not any((ROOT / name).parent.rglob("*.go")) and "\ntool " not in (ROOT / name).read_text("utf-8"):
            continue  # the pins of a module that is generated elsewhere, and asked about there
        # A module that only pins tools has no package of its own.
        pattern = "tool" if "\ntool " in (ROOT / name).read_text(encoding="utf-8") else "./..."
        scan = ("-C", str((ROOT / name).parent), "-scan", "package", "-format", "json", pattern)
        yield Audit(name, ("go", "tool", "govulncheck", *scan), GOVULNCHECK, of_govulncheck)

    for name in _tracked("**/pom.xml"):
        yield Audit(name, (sys.executable, str(MAVEN), str(ROOT / name)), ROOT, of_maven)


def answered(audit: Audit) -> Answer:
    """Run one auditor, print what it says, and give it."""
    answer = _run(audit)
    told = f"NOT ASKED, {answer.unasked}" if answer.unasked else f"{len(answer.findings) or 'nothing'} known"
    print(f"audit: {audit.name}: {told}", flush=True)
    for finding in answer.findings:
        print(f"    {finding}")
    return answer


def of_pip_audit(output: str, errors: str) -> Answer:
    """Read what pip-audit writes. A package that it skips was not looked up, whatever its exit status says."""
    told = _json(output)
    if not isinstance(told, dict) or "dependencies" not in told:
        return Answer(unasked=_last_line(errors))
    findings = tuple(
        f"{row['name']} {row['version']}: {vulnerability['id']}"
        for row in told["dependencies"]
        for vulnerability in row.get("vulns", ())
    )
    skipped = [row["skip_reason"] for row in told["dependencies"] if "skip_reason" in row]
    return Answer(findings, f"{len(skipped)} packages, for example: {skipped[0]}" if skipped else "")


def of_npm_audit(output: str, errors: str) -> Answer:
    """Read what npm audit writes; an answer of the registry that is an error has no list of vulnerabilities."""
    told = _json(output)
    if not isinstance(told, dict) or "vulnerabilities" not in told:
        message = told.get("message") if isinstance(told, dict) else None
        return Answer(unasked=message or _last_line(errors))
    return Answer(
        tuple(
            f"{name} {row['range']}: {row['severity']}"
            for name, row in sorted(told["vulnerabilities"].items())
        )
    )


def of_govulncheck(output: str, errors: str) -> Answer:
    """Read the stream of JSON objects that govulncheck writes; without its database it ends after the first."""
    rows, decoder, rest = [], json.JSONDecoder(), output.lstrip()
    while rest:
        try:
            row, end = decoder.raw_decode(rest)
        except ValueError:
            return Answer(unasked=_last_line(errors))
        rows.append(row)
        rest = rest[end:].lstrip()
    if not any("SBOM" in row for row in rows) or errors.strip():
        return Answer(unasked=_last_line(errors))
    found = {
        (row["finding"]["trace"][0]["module"], row["finding"]["osv"]) for row in rows if "finding" in row
    }
    return Answer(tuple(f"{module}: {identifier}" for module, identifier in sorted(found)))


def of_maven(output: str, errors: str) -> Answer:
    """Read what ``audit_maven.py`` writes: the ids of what is known, by what is pinned."""
    told = _json(output)
    if not isinstance(told, dict):
        return Answer(unasked=_last_line(errors))
    return Answer(tuple(f"{pin}: {identifier}" for pin, known in told.items() for identifier in known))


def _run(audit: Audit) -> Answer:
    if not shutil.which(audit.command[0]):
        return Answer(unasked=f"{audit.command[0]} is not installed")
    try:
        ran = subprocess.run(
            audit.command, cwd=audit.folder, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return Answer(unasked=f"no answer within {SECONDS} seconds")
    return audit.read(ran.stdout, ran.stderr)


def _tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    return listed.stdout.split()


def _json(output: str) -> Any:
    try:
        return json.loads(output)
    except ValueError:
        return None


def _last_line(errors: str) -> str:
    lines = errors.strip().splitlines()
    return lines[-1] if lines else "it gave no answer"


if __name__ == "__main__":
    sys.exit(main())
