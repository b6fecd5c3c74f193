"""What a release is made of: archives that hold what they should, known licences, a workflow without secrets."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
build_dist = importlib.import_module("build_dist")
release_check = importlib.import_module("release_check")

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]
TRACKED = (
    "src/calloff/__init__.py",
    "src/calloff/py.typed",
    "generated/python/calloff_clients/py.typed",
    "spec/a.yaml",
)
IN_WHEEL = ("calloff/__init__.py", "calloff/py.typed", "calloff_clients/py.typed", "calloff/_spec/a.yaml")


@pytest.mark.parametrize(
    ("names", "findings"),
    [
        (IN_WHEEL, []),
        (IN_WHEEL[:-1], ["a.whl lacks calloff/_spec/a.yaml"]),
        (
            (*IN_WHEEL, "calloff/notes.txt"),
            ["a.whl holds calloff/notes.txt, which is not under version control"],
        ),
        (
            (*IN_WHEEL, "tests/test_a.py"),
            ["a.whl holds tests/test_a.py, which is not under version control"],
        ),
    ],
    ids=["whole", "short", "stray", "tests"],
)
def test_a_wheel_holds_the_packages_and_nothing_else(
    tmp_path: Path, names: tuple[str, ...], findings: list[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        for name in (*names, "a-1.dist-info/METADATA"):
            archive.writestr(name, "")

    assert build_dist.of_wheel(tmp_path / "a.whl", TRACKED) == findings


@pytest.mark.parametrize(
    ("names", "findings"),
    [
        (TRACKED, []),
        (TRACKED[1:], ["a.tar.gz lacks src/calloff/__init__.py"]),
        ((*TRACKED, "tests/x"), ["a.tar.gz holds tests/x, which is not under version control"]),
    ],
    ids=["whole", "short", "stray"],
)
def test_a_source_archive_holds_what_is_under_version_control(
    tmp_path: Path, names: tuple[str, ...], findings: list[str]
) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for name in (*names, "PKG-INFO"):
            archive.addfile(tarfile.TarInfo(f"a-1/{name}"))

    assert build_dist.of_sdist(tmp_path / "a.tar.gz", TRACKED) == findings


def test_two_builds_that_differ_are_told(tmp_path: Path) -> None:
    for folder, text in (("one", "1"), ("two", "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same").write_text("0", "utf-8")
        (tmp_path / folder / "other").write_text(text, "utf-8")
    (tmp_path / "two" / "more").write_text("0", "utf-8")

    assert build_dist.differences(tmp_path / "one", tmp_path / "two") == [
        "more differs between two builds",
        "other differs between two builds",
    ]


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache Software License; MIT License", True),
        ("MIT; GPL-3.0", False),
        ("UNKNOWN", False),
    ],
)
def test_a_licence_that_nobody_read_is_refused(licence: str, allowed: bool) -> None:
    package = {"Name": "a", "Version": "1", "License": licence}

    assert release_check.refused([package]) == (
        [] if allowed else [f"a 1: licence {licence!r} is not on the list"]
    )


def test_what_is_not_on_the_bill_of_materials_is_told() -> None:
    bill = {
        "metadata": {"component": {"name": "calloff", "version": "1"}},
        "components": [{"name": "attrs", "version": "2"}],
    }
    packages = [
        {"Name": "calloff", "Version": "1"},
        {"Name": "Attrs", "Version": "2"},
        {"Name": "b", "Version": "3"},
    ]

    assert release_check.missing(bill, packages) == ["b 3 is not on the bill of materials"]


def test_the_workflow_is_what_the_service_reads() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    result = subprocess.run(
        [*command, str(WORKFLOW)], capture_output=True, text=True, check=False, timeout=60
    )

    assert result.returncode == 0, result.stdout + result.stderr


def test_a_job_may_do_no_more_than_it_must() -> None:
    assert yaml.safe_load(WORKFLOW.read_text("utf-8"))["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "build": {"contents": "read", "id-token": "write", "attestations": "write"},
        "publish": {"id-token": "write"},
        "release": {"contents": "write"},
    }
    assert "secrets." not in WORKFLOW.read_text("utf-8")


def test_no_expression_is_written_into_a_shell_script() -> None:
    steps = [step for job in JOBS.values() for step in job["steps"]]

    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@\S+", step["uses"]) for step in steps if "uses" in step)


def test_the_workflow_checks_before_it_publishes() -> None:
    (line,) = re.findall(r"^ *nox -s (.*) -- dist$", WORKFLOW.read_text("utf-8"), re.MULTILINE)

    assert line.split() == ["compat", "build", "bundle", "release_check"]
    assert (JOBS["publish"]["needs"], JOBS["release"]["needs"]) == ("build", "publish")
