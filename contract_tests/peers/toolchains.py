"""How the peers are built and run, each with the toolchain of its language, outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolchain import need

HERE = Path(__file__).parent
BUILD_SECONDS = 300
RUN_SECONDS = 60
# What a program gets of the environment besides what it is given: no proxy, no credentials of anybody.
_KEPT = ("PATH", "HOME")


@dataclass(frozen=True)
class Peer:
    """A program around an official SDK that calls it once for each id, and prints a line for each answer."""

    command: tuple[str, ...]
    given: dict[str, str] = field(default_factory=dict, repr=False)

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        """Run the program and give what came back from each of its calls."""
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        ran = subprocess.run(
            [*self.command, *arguments],
            env=environment | self.given,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]


def _build(*command: str | Path, folder: Path) -> None:
    ran = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout


def node(built: Path) -> tuple[str, ...]:
    """Install what the lock file pins, and give the command of the peer."""
    need("node", "npm")
    folder = Path(shutil.copytree(HERE / "node", built / "node"))
    _build("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", folder=folder)
    return "node", str(folder / "peer.js")


def go(built: Path) -> dict[str, tuple[str, ...]]:
    """Build the peers against the modules that go.sum pins, and give their commands."""
    need("go")
    target = built / "go"
    target.mkdir()
    options = ("-mod=readonly", "-modcacherw", "-buildvcs=false")
    _build("go", "build", *options, "-o", target, "./...", folder=HERE / "go")
    return {name: (str(target / name),) for name in ("cos", "dli")}


def java(built: Path, ca_file: str) -> dict[str, tuple[str, ...]]:
    """Compile the peers against the artifacts that pom.xml pins, and give their commands.

    The one of COS speaks TLS alone: it trusts the authority in *ca_file*.
    """
    need("mvn", "javac", "java", "keytool")
    folder, target = HERE / "java", built / "java"
    target.mkdir()
    listed, trusted = target / "classpath", target / "trusted.p12"
    _build("mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={listed}", folder=folder)
    classpath = listed.read_text().strip()
    _build(
        "javac", "-proc:none", "-cp", classpath, "-d", target, "DliPeer.java", "CosPeer.java", folder=folder
    )
    store = ("-keystore", trusted, "-storetype", "PKCS12", "-storepass", "changeit")
    _build("keytool", "-importcert", "-noprompt", "-alias", "mock", "-file", ca_file, *store, folder=folder)
    options = ("-XX:TieredStopAtLevel=1", "-cp", f"{target}{os.pathsep}{classpath}")
    trust = (f"-Djavax.net.ssl.trustStore={trusted}", "-Djavax.net.ssl.trustStorePassword=changeit")
    return {"dli": ("java", *options, "DliPeer"), "cos": ("java", *options, *trust, "CosPeer")}
