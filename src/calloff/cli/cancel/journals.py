"""Where the journals of runs are, and whether one is still needed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from calloff.bulk.journal import Journal, JournalHeader, remove
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from calloff.cli.cancel.options import Options

# A run of no more needs no journal, and no question before it begins.
FEW = 5


def begin(opts: Options, header: JournalHeader, *, few: bool) -> Journal:
    """Begin the journal of a run, in the file that was named, in the state folder, or in none for a few ids.

    Raises:
        InvalidInputError: the file cannot be made.
    """
    if opts.dry_run or (few and not opts.journal):
        return Journal.temporary(header)
    if opts.journal:
        return Journal.create(opts.journal, header)
    folder = _folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(
            f"cannot keep a journal in {folder}: {error.strerror}; name a file with --journal"
        ) from error
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(header.created))
    return Journal.create(folder / f"{stamp}-{os.getpid()}.journal", header)


def end(journal: Journal, *, needed: bool) -> Path | None:
    """Close a journal, and remove it where nobody needs it or asked for it; return where it is if it is needed."""
    journal.close()
    if journal.path is None:
        return None
    if needed:
        return journal.path
    if journal.path.absolute().parent == _folder():
        remove(journal.path)
    return None


def discard(journal: Journal) -> None:
    """Remove the journal of a run that has not begun."""
    journal.close()
    if journal.path:
        remove(journal.path)


def _folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("calloff", appauthor=False) / "journals"
