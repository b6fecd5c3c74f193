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
check_tag = importlib.import_module("check_tag")
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


def test_every_extra_of_a_wheel_is_looked_at(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a-1-py3-none-any.whl", "w") as archive:
        archive.writestr("a/METADATA", "Provides-Extra: other")
        text = "Metadata-Version: 2.4\nName: a\nProvides-Extra: all\nProvides-Extra: load\n\nProvides-Extra: text"
        archive.writestr("a-1.dist-info/METADATA", text)

    assert release_check.extras(tmp_path / "a-1-py3-none-any.whl") == ["all", "load"]


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
        "check": {"contents": "read"},
        "build": {"contents": "read"},
        "attest": {"id-token": "write", "attestations": "write"},
        "publish": {"id-token": "write"},
        "release": {"contents": "write"},
    }
    assert "secrets." not in WORKFLOW.read_text("utf-8")


@pytest.mark.parametrize("job", ["attest", "publish", "release"])
def test_a_job_that_may_write_runs_nothing_of_the_checkout(job: str) -> None:
    uses = [step["uses"].partition("@")[0] for step in JOBS[job]["steps"] if "uses" in step]

    assert "actions/checkout" not in uses
    assert "pip install" not in "".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_no_expression_is_written_into_a_shell_script() -> None:
    steps = [step for job in JOBS.values() for step in job["steps"]]

    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_every_action_is_pinned_to_a_commit_beside_its_version() -> None:
    uses = re.findall(r"uses: (.*)", WORKFLOW.read_text("utf-8"))

    assert len(uses) >= len(JOBS)
    assert [use for use in uses if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}  # v[\d.]+", use)] == []


def test_the_workflow_checks_before_it_publishes() -> None:
    needs = {name: job.get("needs") for name, job in JOBS.items()}
    ran = {name: " ".join(re.findall(r"nox -s (.*)", script(name))) for name in JOBS}

    assert needs == {
        "check": None,
        "build": None,
        "attest": ["check", "build"],
        "publish": "attest",
        "release": "publish",
    }
    assert ran["check"] == "lint drift types self_check compat"
    assert ran["build"] == "build bundle release_check -- dist"
    assert 'scripts/check_tag.py "$GITHUB_REF_NAME"' in script("check")


def test_every_session_of_the_workflow_exists() -> None:
    sessions = set(re.findall(r"@nox.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text("utf-8")))
    named = re.findall(r"nox -s (.*?)(?: -- .*)?$", WORKFLOW.read_text("utf-8"), re.MULTILINE)

    assert {name for line in named for name in line.split()} <= sessions


def test_the_gate_gets_the_whole_history() -> None:
    (checkout,) = [step for step in JOBS["check"]["steps"] if "checkout@" in step.get("uses", "")]

    assert checkout["with"]["fetch-depth"] == 0


def script(job: str) -> str:
    return "\n".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_what_a_release_attaches_are_files_each_with_a_sum(tmp_path: Path) -> None:
    name = "calloff-contract-1.0.0"
    files = {
        "calloff-1.0.0-py3-none-any.whl",
        "calloff-1.0.0.tar.gz",
        "calloff-1.0.0.cdx.json",
        f"{name}.tar.gz",
    }
    (tmp_path / "dist" / name).mkdir(parents=True)
    (tmp_path / "dist" / name / "contract.json").write_text("{}", "utf-8")
    for file in files:
        (tmp_path / "dist" / file).write_text(file, "utf-8")

    last = [step["run"] for step in JOBS["build"]["steps"] if "run" in step][-1]
    subprocess.run(["bash", "-e", "-c", last], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    left = {path.name: path.is_file() for path in (tmp_path / "dist").iterdir()}
    sums = (tmp_path / "dist" / "SHA256SUMS").read_text("utf-8")
    assert left == dict.fromkeys({*files, "SHA256SUMS"}, True)
    assert {line.split()[1] for line in sums.splitlines()} == files


# --- The commit that a tag names -----------------------------------------------------------------------------------


@pytest.fixture
def released(tmp_path: Path) -> Path:
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes" / "README.md").write_text("How.\n", "utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n', "utf-8")
    changelog = "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n- A.\n\n## 0.1.0 (2026-11-01)\n"
    (tmp_path / "CHANGELOG.md").write_text(changelog, "utf-8")
    return tmp_path


def test_a_commit_that_is_what_its_tag_names_passes(released: Path) -> None:
    assert check_tag.main(["v0.2.0"], released) == 0


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "pyproject.toml",
            '[project]\nversion = "0.3.0"\n',
            "the tag is v0.2.0, the version of the package 0.3.0",
        ),
        (
            "CHANGELOG.md",
            "# Changelog\n\n## 0.2.0 (unreleased)\n",
            "CHANGELOG.md does not begin with '## 0.2.0 (YYYY-MM-DD)'",
        ),
        (
            "CHANGELOG.md",
            "# Changelog\n\n## 0.1.0 (2026-11-01)\n",
            "CHANGELOG.md does not begin with '## 0.2.0 (YYYY-MM-DD)'",
        ),
        (
            "CHANGELOG.md",
            "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n## 0.2.0 (unreleased)\n",
            "CHANGELOG.md has 0.2.0 more than once",
        ),
        ("changes/1.added.md", "New.\n", "changes/ still holds 1.added.md; run towncrier build"),
    ],
    ids=["version", "unreleased", "another", "twice", "fragment"],
)
def test_a_commit_that_is_not_what_its_tag_names_is_refused(
    released: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, told: str
) -> None:
    (released / name).write_text(text, "utf-8")

    assert check_tag.main(["v0.2.0"], released) == 1
    assert capsys.readouterr().err == f"check_tag: {told}\n"


def test_a_check_without_a_tag_is_wrong_use() -> None:
    assert check_tag.main([]) == 2
