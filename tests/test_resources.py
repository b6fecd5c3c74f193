"""Finding the documents in a wheel and in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from calloff.resources import spec_path


def _documents(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "requirements.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_checkout_is_read_where_nothing_is_packaged(tmp_path: Path) -> None:
    package = tmp_path / "src" / "calloff"
    package.mkdir(parents=True)
    documents = _documents(tmp_path / "spec", "checkout")

    assert spec_path(package=package) == documents
    assert spec_path("requirements.yaml", package=package).read_text(encoding="utf-8") == "checkout"


def test_the_packaged_copy_goes_before_a_checkout(tmp_path: Path) -> None:
    package = tmp_path / "src" / "calloff"
    packaged = _documents(package / "_spec", "packaged")
    _documents(tmp_path / "spec", "checkout")

    assert spec_path(package=package) == packaged


def test_an_unrelated_folder_named_spec_is_not_taken(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "site-packages" / "calloff"
    package.mkdir(parents=True)
    (tmp_path / "lib" / "spec").mkdir()

    with pytest.raises(FileNotFoundError, match="no documents of the contract") as refusal:
        spec_path(package=package)

    assert "install calloff from a wheel" in str(refusal.value)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    package = tmp_path / "src" / "calloff"
    _documents(package / "_spec", "packaged")

    with pytest.raises(FileNotFoundError, match=r"no 'nope\.yaml'; it has requirements\.yaml"):
        spec_path("nope.yaml", package=package)


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    package = tmp_path / "src" / "calloff"
    _documents(package / "_spec", "packaged")

    with pytest.raises(ValueError, match="leads out"):
        spec_path("../secrets", package=package)


def test_the_documents_of_this_installation_are_found() -> None:
    assert spec_path("requirements.yaml").is_file()
