"""Compare the documents with those of the last release; ``nox -s compat`` runs it.

The last release is the newest tag ``vX.Y.Z`` that this commit descends from; where that tag is this very commit, which
is being released, the one before counts too. A document that changed must have a higher
``info.version``; one that breaks its users a higher major version (``spec/README.md``, "Versions"). What breaks them
oasdiff says, more strictly than by itself (``compat/severity.txt``): names that generated code is made of count too, as
does what it does not look at (``compat_facts.py``). It gets the 3.0.4 forms, for it knows nothing of a ``const``.

Exit status: 0 the versions tell the truth, 1 they do not, 2 the comparison cannot be made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import compat_facts
import yaml
from contract.openapi30 import derive

ROOT = Path(__file__).resolve().parent.parent
TOOL = Path(__file__).resolve().parent / "compat"
SUFFIX = ".openapi.yaml"
SECONDS = 300
SEVERITY = TOOL / "severity.txt"
RELEASE = re.compile(r"v\d+\.\d+\.\d+")  # as the release workflow has it; one for trial does not count
ERROR = 3  # the level of oasdiff


class CannotCompareError(Exception):
    """There is nothing to compare with, or nothing to compare by."""


def main() -> int:
    """Compare the checkout with its last release, and tell what does not agree."""
    try:
        tags = last_releases(ROOT)
        if not tags:
            print("compat: no release yet, so nothing can break")
            return 0
        if not shutil.which("go"):
            told = f"Go is not installed, so the documents are not compared with {' and '.join(tags)}"
            print(f"compat: SKIPPED, {told}", file=sys.stderr)
            return 2 if os.environ.get("CI") else 0
        findings = {tag: _compared_with(tag) for tag in tags}
    except CannotCompareError as error:
        print(f"compat: {error}", file=sys.stderr)
        return 2
    for tag, lines in findings.items():
        print("\n".join([*lines, f"compat: {len(lines) or 'no'} findings against {tag}"]))
    return 1 if any(findings.values()) else 0


def last_releases(checkout: Path) -> list[str]:
    """Name the tags to compare with: the newest one, and the one before it where HEAD is the newest release itself.

    Raises:
        CannotCompareError: the history is not there to tell, or the changelog knows a release without a tag.
    """
    merged, here = (
        set(_git(checkout, "tag", which, "HEAD").split()) for which in ("--merged", "--points-at")
    )
    tags = sorted(filter(RELEASE.fullmatch, merged), key=lambda tag: _numbers(tag[1:]), reverse=True)
    release = _dated(_git(checkout, "show", "HEAD:CHANGELOG.md"))
    shallow = _git(checkout, "rev-parse", "--is-shallow-repository").strip() == "true"
    if shallow and here.issuperset(tags) and (tags or release):
        raise CannotCompareError("this clone is shallow; fetch the whole history and its tags")
    if tags:
        return tags[: 2 if tags[0] in here else 1]
    if release and not _is_release(checkout, release):
        raise CannotCompareError(
            f"CHANGELOG.md knows release {release}, but there is no tag v{release}; fetch the tags"
        )
    return []


def _is_release(checkout: Path, release: str) -> bool:
    """Tell whether HEAD is the commit that dates the release: its tag comes after it."""
    parents = _git(checkout, "rev-list", "--parents", "--max-count=1", "HEAD").split()[1:]
    return all(_dated(_git(checkout, "show", f"{parent}:CHANGELOG.md")) != release for parent in parents[:1])


def _dated(changelog: str) -> str | None:
    """Name the newest release that a changelog has a date of."""
    found = re.search(r"^## (\S+) \(\d{4}-\d{2}-\d{2}\)$", changelog, re.MULTILINE)
    return found[1] if found else None


def _compared_with(tag: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return compared(released(ROOT, tag, Path(folder)), ROOT / "spec")


def released(checkout: Path, tag: str, folder: Path) -> Path:
    """Write the documents of a release into the folder, and return it."""
    for name in _git(checkout, "ls-tree", "--name-only", f"{tag}:spec").splitlines():
        if name.endswith(SUFFIX):
            (folder / name).write_text(_git(checkout, "show", f"{tag}:spec/{name}"), encoding="utf-8")
    return folder


def compared(old: Path, new: Path) -> list[str]:
    """Compare two folders of documents.

    Returns:
        a sentence for each document whose version does not tell what became of it, with what breaks its users.

    Raises:
        CannotCompareError: oasdiff cannot be run.
    """
    findings = []
    for before in sorted(old.glob(f"*{SUFFIX}")):
        name, after = before.name.removesuffix(SUFFIX), new / before.name
        if not after.is_file():
            findings.append(f"{name}: the document is gone; other teams read it under this name")
        elif (was := _yaml(before)) != (now := _yaml(after)):
            findings += _judged(name, _version(name, was), _version(name, now), breaking(was, now))
    return findings


def breaking(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List what breaks the users of a document, one line each, by the rules of oasdiff and ours."""
    with tempfile.TemporaryDirectory() as folder:
        forms = [Path(folder) / name for name in ("old.json", "new.json")]
        for path, document in zip(forms, (old, new), strict=True):
            path.write_text(json.dumps(derive(document)), encoding="utf-8")
        ran = subprocess.run(
            ["go", "tool", "oasdiff", "breaking", "--severity-levels", SEVERITY, "--format", "json", *forms],
            cwd=TOOL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    if ran.returncode:
        raise CannotCompareError(f"oasdiff failed: {ran.stdout}{ran.stderr}")
    rows = json.loads(ran.stdout or "[]")
    return compat_facts.broken(old, new) + [
        f"{row.get('operation', '')} {row.get('path', '')}: {row['text']}".strip()
        for row in rows
        if row["level"] == ERROR
    ]


def _judged(name: str, was: tuple[int, ...], now: tuple[int, ...], broken: list[str]) -> list[str]:
    told = f"{name}: info.version is {_dotted(now)}, was {_dotted(was)}"
    if broken and now[0] <= was[0]:
        return [f"{told}; this wants {was[0] + 1}.0.0:", *(f"    {line}" for line in broken)]
    if now <= was:
        return [f"{told}, and the document changed; it wants a higher one"]
    return []


def _version(name: str, document: Mapping[str, Any]) -> tuple[int, ...]:
    version = str(document["info"]["version"])
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise CannotCompareError(f"{name}: info.version is {version!r}, expected three numbers")
    return _numbers(version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe


def _git(checkout: Path, *arguments: str) -> str:
    ran = subprocess.run(
        ["git", *arguments], cwd=checkout, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    if ran.returncode:
        raise CannotCompareError(f"git {' '.join(arguments)}: {ran.stderr.strip()}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
