"""Write the clients under ``generated/`` from the documents in ``spec/``, or check them.

``python scripts/generate.py`` writes; with ``--check`` the same code generates into a temporary folder, lists
every file that differs and exits with 1. A language whose toolchain is missing is skipped, which is told and,
where ``CI`` is set, an error; of what is committed for it only the digests are checked then. The tools of
Python come from the ``generate`` group of pyproject.toml, those of the others from the lock files under
``scripts/codegen/``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from codegen import go, java, python, typescript
from codegen.frame import COMMAND, DOCUMENTS, ROOT, GenerationError, Language, document_name, sha256, write

LANGUAGES: dict[str, Language] = {
    "python": python.LANGUAGE,
    "typescript": typescript.LANGUAGE,
    "go": go.LANGUAGE,
    "java": java.LANGUAGE,
}
MANIFEST = Path("MANIFEST.json")
README = Path("README.md")
# What running or building generated code leaves behind; no part of it.
LEFT_BEHIND = {"__pycache__", "node_modules", "target"}
Manifest = dict[str, dict[str, Any]]

README_TEXT = f"""# Generated code: do not edit

`{COMMAND}` writes everything here from the documents in `spec/`; `{COMMAND} -- --check` tells whether it
is current, and `--language NAME` keeps to one language. A change belongs into the document, into
`scripts/generator.yaml` or `scripts/codegen/` or, where none can say it, into the code around the client.

{"".join(language.readme for language in LANGUAGES.values())}\
- `MANIFEST.json`: for each language the digests of the documents and of every file, and the versions of the
  tools.
"""


def main(arguments: list[str] | None = None) -> int:
    """Write or check ``generated/``; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 on a difference")
    parser.add_argument(
        "--language", action="append", choices=list(LANGUAGES), help="only this one; may be repeated"
    )
    parser.add_argument("--target", type=Path, default=ROOT / "generated", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        present = toolchains(options.language or list(LANGUAGES))
        with tempfile.TemporaryDirectory(prefix="calloff-generate-") as folder:
            fresh = Path(folder) / "generated"
            generate(fresh, present, options.target)
            differences = compare(fresh, options.target)
            if not options.check:
                replace(fresh, options.target)
    except GenerationError as error:
        print(f"generate: {error}", file=sys.stderr)
        return 1
    if options.check:
        kept = set(LANGUAGES) - set(present)
        differences += [line for language in sorted(kept) for line in stale(language, options.target)]
    for difference in differences:
        print(difference)
    if options.check and differences:
        print(
            f"generate: {len(differences)} files differ from what spec/ gives; run {COMMAND}", file=sys.stderr
        )
        return 1
    print(f"generate: {'nothing to do' if not differences else f'{len(differences)} files written'}")
    return 0


def toolchains(wanted: Collection[str]) -> list[str]:
    """Give the languages that can be generated here, and tell which cannot.

    Raises:
        GenerationError: a toolchain is missing, and this is CI.
    """
    missing = {name: programs for name in wanted if (programs := LANGUAGES[name].missing())}
    for name, programs in missing.items():
        told = f"{name} is not generated: {', '.join(programs)} not installed"
        if os.environ.get("CI"):
            raise GenerationError(told)
        print(f"generate: SKIPPED, {told}", file=sys.stderr)
    return [name for name in wanted if name not in missing]


def generate(target: Path, languages: Collection[str] | None = None, current: Path | None = None) -> None:
    """Write the complete tree, manifest included, into the folder ``target``, which must not exist yet.

    Of ``languages`` (all, where not given) code is generated; of the others what is in ``current`` is kept.
    """
    described: Manifest = {}
    kept = read_manifest(current) if current else {}
    for name, language in LANGUAGES.items():
        folder = target / name
        if languages is None or name in languages:
            folder.mkdir(parents=True)
            started = time.monotonic()
            versions = language.generate(folder)
            print(f"generate: {name} took {time.monotonic() - started:.1f} s", file=sys.stderr)
            described[name] = describe(folder, versions)
        elif name in kept and current:
            shutil.copytree(current / name, folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
            described[name] = kept[name]
    write(target / README, README_TEXT)
    write(target / MANIFEST, json.dumps(described, indent=2, sort_keys=True) + "\n")


def describe(folder: Path, versions: Mapping[str, str]) -> dict[str, Any]:
    """Describe the code of one language: digests of the documents and of all files, versions of the tools."""
    return {
        "documents": {document_name(name): sha256(ROOT / document_name(name)) for name in DOCUMENTS},
        "files": {name: sha256(folder / name) for name in sorted(_names(folder))},
        "tools": dict(versions),
    }


def read_manifest(root: Path) -> Manifest:
    """Read the manifest of a tree; empty where there is none."""
    path = root / MANIFEST
    manifest: Manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return manifest


def stale(language: str, root: Path) -> list[str]:
    """List what the digests tell of a language that is not generated: changed documents and files."""
    said = read_manifest(root).get(language)
    if said is None:
        return [f"missing  {language}"]
    now = describe(root / language, said["tools"])
    return [
        *(f"stale    {language}: {name}" for name in _changed(said["documents"], now["documents"])),
        *(f"differs  {language}/{name}" for name in _changed(said["files"], now["files"])),
    ]


def compare(fresh: Path, current: Path) -> list[str]:
    """List what differs between two trees: missing, stale or orphaned files, one line each."""
    wanted, present = _files(fresh), _files(current)
    return [
        *(f"missing  {name}" for name in sorted(wanted - present)),
        *(
            f"differs  {name}"
            for name in sorted(wanted & present)
            if _bytes(fresh, name) != _bytes(current, name)
        ),
        *(f"orphaned {name}" for name in sorted(present - wanted)),
    ]


def replace(fresh: Path, current: Path) -> None:
    """Make ``current`` equal to ``fresh``, orphans removed; files that are equal already are not touched."""
    wanted, present = _files(fresh), _files(current)
    for name in sorted(present - wanted):
        (current / name).unlink()
    for name in sorted(wanted):
        if name not in present or _bytes(fresh, name) != _bytes(current, name):
            (current / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fresh / name, current / name)


def _files(root: Path) -> set[str]:
    """Name the files that this script answers for: its own two, and all of each language."""
    own = {name for name in (MANIFEST.as_posix(), README.as_posix()) if (root / name).is_file()}
    return own | {f"{language}/{name}" for language in LANGUAGES for name in _names(root / language)}


def _names(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not LEFT_BEHIND.intersection(path.relative_to(folder).parts)
    }


def _changed(said: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in said.keys() | now.keys() if said.get(name) != now.get(name))


def _bytes(root: Path, name: str) -> bytes:
    return (root / name).read_bytes()


if __name__ == "__main__":
    sys.exit(main())
