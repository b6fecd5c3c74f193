"""Build the wheel and the source archive twice, compare the two builds byte by byte, and look at what is in them.

``python scripts/build_dist.py FOLDER`` leaves the first build in the folder; ``nox -s build`` runs it. The second is
made in another folder and time zone, with another hash seed and umask. Both begin with the files under version control
alone, so that nothing else can get in. SOURCE_DATE_EPOCH is the time of every file; by default that of the last commit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Where the wheel has each folder of the checkout.
PLACES = {
    "src/calloff/": "calloff/",
    "generated/python/calloff_clients/": "calloff_clients/",
    "spec/": "calloff/_spec/",
}
BUILD_SECONDS = 600


def main() -> int:
    """Build, compare, look; the exit status is 1 where something is not as it should be."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct").strip()
    with tempfile.TemporaryDirectory() as folder:
        tracked = sorted(set(_git("ls-files", "-z").split("\0")) - {""})
        sources, first = copied(tracked, Path(folder) / "sources"), Path(folder) / "first"
        others, second = copied(tracked, Path(folder) / "other" / "sources"), Path(folder) / "second"
        build(sources, first, epoch)
        build(others, second, epoch, umask=0o077, TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C")
        findings = differences(first, second)
        for path in first.iterdir():
            findings += of_wheel(path, tracked) if path.suffix == ".whl" else of_sdist(path, tracked)
            (target / path.name).write_bytes(path.read_bytes())
    for finding in findings:
        print(f"build: {finding}", file=sys.stderr)
    if not findings:
        print(f"build: two builds are equal, and hold what they should; SOURCE_DATE_EPOCH was {epoch}")
    return 1 if findings else 0


def copied(names: Iterable[str], target: Path) -> Path:
    """Copy files of the checkout into a folder, and return it."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)
    return target


def build(source: Path, target: Path, epoch: str, umask: int = 0o022, **environment: str) -> None:
    """Build into a folder: the source archive from the sources, the wheel from the source archive."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target))
    given = {**os.environ, "SOURCE_DATE_EPOCH": epoch, **environment}
    ran = subprocess.run(
        command,
        cwd=source,
        env=given,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if ran.returncode:
        raise SystemExit(f"build: failed\n{ran.stdout}{ran.stderr}")


def differences(first: Path, second: Path) -> list[str]:
    """Compare two folders of built files."""
    names = {path.name for folder in (first, second) for path in folder.iterdir()}
    return [
        f"{name} differs between two builds"
        for name in sorted(names)
        if _bytes(first / name) != _bytes(second / name)
    ]


def of_wheel(path: Path, tracked: Iterable[str]) -> list[str]:
    """Tell what a wheel has too much or too little, by the files that are under version control."""
    with zipfile.ZipFile(path) as archive:
        held = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    wanted = {
        place + name.removeprefix(folder)
        for name in tracked
        for folder, place in PLACES.items()
        if name.startswith(folder)
    }
    typed = {f"{package}/py.typed" for package in ("calloff", "calloff_clients")}
    return _differences(path.name, held, wanted | typed)


def of_sdist(path: Path, tracked: Iterable[str]) -> list[str]:
    """Tell what a source archive has that is not under version control, or lacks to build and test the package."""
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()} - {"PKG-INFO"}
    given = set(tracked)
    wanted = {
        name for name in given if name.startswith(("src/", "generated/", "spec/", "tests/", "scripts/"))
    }
    return _differences(path.name, held, wanted | (held & given))


def _differences(archive: str, held: set[str], wanted: set[str]) -> list[str]:
    return [
        *(f"{archive} holds {name}, which is not under version control" for name in sorted(held - wanted)),
        *(f"{archive} lacks {name}" for name in sorted(wanted - held)),
    ]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
