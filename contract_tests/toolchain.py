"""How programs in other languages are built and run: with the toolchain of their language, outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD_SECONDS = 600
RUN_SECONDS = 120
# What a program gets of the environment besides what it is given: no proxy, no credentials of anybody.
_KEPT = ("PATH", "HOME")
# What builds leave behind in a checkout.
_BUILT = ("node_modules", "dist", "target", "build", "bin")


def need(*programs: str) -> None:
    """Skip what needs a toolchain that is missing; under CI that is a failure."""
    if missing := [name for name in programs if not shutil.which(name)]:
        message = f"{', '.join(missing)} not installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


def copied(target: Path, *folders: str) -> Path:
    """Copy folders of the checkout to the same places below *target*, without what was built in them."""
    for folder in folders:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns(*_BUILT))
    return target


def build(*command: str | Path, folder: Path) -> str:
    """Run a tool in the caller's environment (registries, proxies, caches); give its output."""
    ran = _ran(command, folder, None, BUILD_SECONDS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def call(
    *command: str | Path, folder: Path, given: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program with little environment besides what it is *given*."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return _ran(command, folder, kept | dict(given or {}), RUN_SECONDS)


def _ran(
    command: tuple[str | Path, ...], folder: Path, environment: dict[str, str] | None, seconds: int
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=seconds
    )
