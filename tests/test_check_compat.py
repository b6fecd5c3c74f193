"""What the gate against breaking changes compares with: the newest tag, or nothing where nothing was released."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
gate = importlib.import_module("check_compat")

DOCUMENT = "openapi: 3.1.1\ninfo: {title: A, version: 1.0.0}\npaths: {}\nservers: []\n"


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "tag.gpgSign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "spec").mkdir(parents=True)
    (folder / "spec" / "a.openapi.yaml").write_text(DOCUMENT, "utf-8")
    (folder / "spec" / "README.md").write_text("No document.\n", "utf-8")
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## 0.1.0 (unreleased)\n", "utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "-c", "commit.gpgSign=false", "commit", "--quiet", "--message=One")
    return folder


def commit(folder: Path, message: str, **files: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    git(
        folder,
        "-c",
        "commit.gpgSign=false",
        "commit",
        "--all",
        "--allow-empty",
        "--quiet",
        f"--message={message}",
    )


def test_without_a_release_there_is_nothing_to_compare_with(checkout: Path) -> None:
    git(checkout, "tag", "other")
    git(checkout, "tag", "v1.0.0-rc1")

    assert gate.last_releases(checkout) == []


def test_the_newest_version_counts_not_the_last_in_the_alphabet(checkout: Path) -> None:
    for tag in ("v0.9.0", "v0.10.0", "v0.2.0", "v0.10.0-rc1"):
        git(checkout, "tag", tag)
    commit(checkout, "Two")

    assert gate.last_releases(checkout) == ["v0.10.0"]


def test_a_commit_that_is_being_released_is_compared_with_the_release_before_too(checkout: Path) -> None:
    git(checkout, "tag", "v1.0.0")
    commit(checkout, "Two")
    git(checkout, "tag", "v1.1.0")

    assert gate.last_releases(checkout) == ["v1.1.0", "v1.0.0"]


def test_a_release_that_breaks_without_saying_so_is_refused_though_its_tag_is_there(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git(checkout, "tag", "v1.0.0")
    (checkout / "spec" / "a.openapi.yaml").write_text(DOCUMENT.replace("title: A", "title: B"), "utf-8")
    commit(checkout, "Two")
    git(checkout, "tag", "v1.0.1")
    monkeypatch.setattr(gate, "ROOT", checkout)
    monkeypatch.setattr(gate.shutil, "which", lambda _name: "go")
    monkeypatch.setattr(gate, "breaking", lambda _old, _new: [])

    assert gate.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "compat: no findings against v1.0.1",
        "a: info.version is 1.0.0, was 1.0.0, and the document changed; it wants a higher one",
        "compat: 1 findings against v1.0.0",
    ]


DATED = "# Changelog\n\n## 0.1.0 (2026-12-01)\n"


def test_the_commit_of_a_release_has_no_tag_yet(checkout: Path) -> None:
    commit(checkout, "Release 0.1.0", **{"CHANGELOG.md": DATED})

    assert gate.last_releases(checkout) == []


def test_a_release_without_its_tag_is_an_error(checkout: Path) -> None:
    commit(checkout, "Release 0.1.0", **{"CHANGELOG.md": DATED})
    commit(checkout, "Two")

    with pytest.raises(gate.CannotCompareError, match=r"release 0\.1\.0, but there is no tag v0\.1\.0"):
        gate.last_releases(checkout)


@pytest.mark.parametrize("tag", ["other", "v1.0.0"])
def test_a_shallow_clone_is_an_error_once_there_was_a_release(
    checkout: Path, tmp_path: Path, tag: str
) -> None:
    commit(checkout, "Two", **{"CHANGELOG.md": DATED})
    git(checkout, "tag", tag)
    git(tmp_path, "clone", "--quiet", "--depth=1", checkout.as_uri(), "shallow")

    with pytest.raises(gate.CannotCompareError, match="this clone is shallow"):
        gate.last_releases(tmp_path / "shallow")


def test_a_shallow_clone_will_do_before_the_first_release(checkout: Path, tmp_path: Path) -> None:
    commit(checkout, "Two")
    git(tmp_path, "clone", "--quiet", "--depth=1", checkout.as_uri(), "shallow")

    assert gate.last_releases(tmp_path / "shallow") == []


def test_the_documents_of_a_release_are_those_of_its_tag(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "tag", "v1.0.0")
    (checkout / "spec" / "a.openapi.yaml").write_text("changed", "utf-8")
    target = tmp_path / "released"
    target.mkdir()

    gate.released(checkout, "v1.0.0", target)

    assert {path.name: path.read_text("utf-8") for path in target.iterdir()} == {"a.openapi.yaml": DOCUMENT}


def test_a_version_that_is_none_is_told(checkout: Path, tmp_path: Path) -> None:
    changed = tmp_path / "new"
    changed.mkdir()
    (changed / "a.openapi.yaml").write_text(DOCUMENT.replace("1.0.0", "one"), "utf-8")

    with pytest.raises(gate.CannotCompareError, match=r"a: info\.version is 'one', expected three numbers"):
        gate.compared(checkout / "spec", changed)


def test_without_go_a_comparison_is_skipped_and_under_ci_an_error(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git(checkout, "tag", "v1.0.0")
    monkeypatch.setattr(gate, "ROOT", checkout)
    monkeypatch.setattr(gate.shutil, "which", lambda _name: None)
    monkeypatch.delenv("CI", raising=False)

    assert gate.main() == 0
    assert "SKIPPED, Go is not installed" in capsys.readouterr().err
    monkeypatch.setenv("CI", "1")
    assert gate.main() == 2
