"""Write the bill of materials of a built wheel, and check the licence of everything in it; ``nox -s release_check``.

``python scripts/release_check.py FOLDER`` installs the wheel in FOLDER with all its extras, as pinned in
``requirements/tests.txt``, into a clean environment, and leaves ``calloff-VERSION.cdx.json`` (CycloneDX) in FOLDER. A
licence that is not on the list here is an error: somebody has to read it first.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterable, Mapping
from email import message_from_bytes
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "tests.txt"
SECONDS = 600
# Licences as packages name them, by an SPDX expression or in words. All allow to use and to pass on, also in a product;
# the MPL, of certifi and hypothesis, asks that changes of their own files stay open.
ALLOWED = frozenset(
    {
        "Apache Software License",
        "Apache-2.0",
        "Apache-2.0 AND MIT",
        "Apache-2.0 OR BSD-2-Clause",
        "Apache-2.0 OR BSD-3-Clause",
        "BSD License",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC License (ISCL)",
        "MIT",
        "MIT AND PSF-2.0",
        "MIT License",
        "MIT-0",
        "MIT OR Apache-2.0",
        "MPL-2.0",
        "Mozilla Public License 2.0 (MPL 2.0)",
        "PSF-2.0",
        "Python Software Foundation License",
        "ZPL-2.1",
    }
)


def main() -> int:
    """Write the bill of materials and judge the licences."""
    wheels = sorted(Path(sys.argv[1]).glob("calloff-*.whl")) if len(sys.argv) == 2 else []
    if len(wheels) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    wheel = wheels[0].resolve()
    bill = wheel.with_name(f"calloff-{wheel.name.split('-')[1]}.cdx.json")
    with tempfile.TemporaryDirectory() as folder:
        python = installed(wheel, Path(folder))
        _run(
            *(sys.executable, "-m", "cyclonedx_py", "environment", python, "--output-reproducible"),
            *("--pyproject", ROOT / "pyproject.toml", "--mc-type", "library", "--output-file", bill),
        )
        listed = json.loads(
            _run(sys.executable, "-m", "piplicenses", "--python", python, "--from=mixed", "--format=json")
        )
    findings = [*refused(listed), *missing(json.loads(bill.read_text(encoding="utf-8")), listed)]
    for finding in findings:
        print(f"release_check: {finding}", file=sys.stderr)
    print(f"release_check: {len(listed)} packages, {len(findings) or 'no'} findings; {bill.name} written")
    return 1 if findings else 0


def installed(wheel: Path, folder: Path) -> Path:
    """Install the wheel with all extras into an environment below the folder, and give its interpreter."""
    pins = re.findall(
        r"^[A-Za-z0-9_.\[\]-]+==[^\s\\]+(?: *;[^\\\n]*)?", LOCK.read_text(encoding="utf-8"), re.MULTILINE
    )
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    wanted = f"calloff[{','.join(extras(wheel))}] @ {wheel.as_uri()}"
    _run(python, "-m", "pip", "install", "-q", "--constraint", constraints, wanted)
    # The installer is no part of what was installed.
    _run(python, "-m", "pip", "uninstall", "-q", "--yes", "setuptools", "pip")
    return python


def extras(wheel: Path) -> list[str]:
    """List the extras of a wheel; ``all`` leaves some out."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    return metadata.get_all("Provides-Extra", [])


def refused(packages: Iterable[Mapping[str, str]]) -> list[str]:
    """List the packages whose licence nobody allowed; one that names several has to be allowed in all."""
    return [
        f"{package['Name']} {package['Version']}: licence {package['License']!r} is not on the list"
        for package in packages
        if not ALLOWED.issuperset(package["License"].split("; "))
    ]


def missing(bill: Mapping[str, Any], packages: Iterable[Mapping[str, str]]) -> list[str]:
    """List what is installed but not on the bill of materials."""
    named = {(row["name"].lower(), row["version"]) for row in bill["components"]}
    own = bill["metadata"]["component"]
    named.add((own["name"].lower(), own["version"]))
    return [
        f"{package['Name']} {package['Version']} is not on the bill of materials"
        for package in packages
        if (package["Name"].lower(), package["Version"]) not in named
    ]


def _run(*command: str | Path) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    if ran.returncode:
        raise SystemExit(f"release_check: {command[2]} failed\n{ran.stdout}{ran.stderr}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
