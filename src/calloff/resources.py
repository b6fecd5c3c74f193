"""Where the documents of the contract are: packaged with calloff, or in the checkout beside it."""

from __future__ import annotations

from pathlib import Path

from calloff.errors import MissingDocumentError

_PACKAGE = Path(__file__).resolve().parent


def spec_path(name: str = "", *, package: Path = _PACKAGE) -> Path:
    """Find the documents' folder, or one file or folder in it.

    A wheel carries the documents as ``calloff/_spec``; an editable install has none there and reads ``spec/``
    of its checkout.

    Args:
        name: path inside the documents' folder, with slashes, as in ``otc-dli.openapi.yaml`` or ``signing``;
            empty for the folder itself.
        package: folder of the ``calloff`` package.

    Raises:
        MissingDocumentError: neither place has documents, or they hold no such name.
        ValueError: ``name`` leaves the folder.
    """
    packaged, checkout = package / "_spec", package.parent.parent / "spec"
    root = next((place for place in (packaged, checkout) if (place / "requirements.yaml").is_file()), None)
    if root is None:
        raise MissingDocumentError(
            f"no documents of the contract in {packaged} nor in {checkout}; "
            "install calloff from a wheel, or run it from a complete checkout"
        )
    found = (root / name).resolve()
    if not found.is_relative_to(root):
        raise ValueError(f"{name!r} leads out of the documents' folder")
    if not found.exists():
        names = ", ".join(sorted(entry.name for entry in root.iterdir()))
        raise MissingDocumentError(f"the contract has no {name!r}; it has {names}")
    return found
