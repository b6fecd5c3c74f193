"""Where the output goes: a console, and files that are written whole or elsewhere."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping


def standard_output() -> Console:
    """Return a console that leaves lines whole where no terminal shows them."""
    return Console(file=sys.stdout, soft_wrap=not sys.stdout.isatty(), highlight=False)


def prepare_folder(folder: Path, option: str) -> None:
    """Make *folder*; raise InvalidInputError, which names *option*, where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidInputError(
            f"cannot write reports to {folder}: {error.strerror}; give another {option}"
        ) from error


def save(files: Mapping[Path, str]) -> tuple[list[Path], str]:
    """Write *files*; where that fails, write all of them to the folder for temporary files.

    Returns the files that stand where they should, and a sentence about those that do not, empty where all do.
    """
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
            written.append(path)
    except OSError as error:
        problem = f"the report could not be written to {path}: {error.strerror or error}"
        with suppress(OSError):
            # Half a file could be taken for a whole one; what is no file, such as a device, stays.
            if path.is_file():
                path.unlink()
    else:
        return written, ""
    try:
        folder = Path(tempfile.mkdtemp(prefix="calloff-report-"))
        for path, text in files.items():
            (folder / path.name).write_text(text, encoding="utf-8")
    except OSError as error:
        return written, f"{problem}; nor to the folder for temporary files: {error.strerror or error}"
    return written, f"{problem}; all of it is in {folder}"
