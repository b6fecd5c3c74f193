"""Files that nothing can be read from, each with the words of its error, and all that an error shows."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Unreadable = tuple[str, Callable[[Path], Path]]


def _written(content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        file = folder / "given"
        file.write_bytes(content)
        return file

    return make


def forbidden(folder: Path) -> Path:
    """Write a file that nobody may read; see without_privileges."""
    file = folder / "given"
    file.write_bytes(b"planted-secret")
    file.chmod(0)
    return file


MISSING: Unreadable = ("No such file or directory", lambda folder: folder / "missing")
DIRECTORY: Unreadable = ("Is a directory", lambda folder: folder)
BELOW_A_FILE: Unreadable = ("Not a directory", lambda folder: _written(b"x")(folder) / "below")
NUL_IN_NAME: Unreadable = ("no file can have that name", lambda folder: folder / "a\0b")
ENDLESS: Unreadable = ("it has more than", lambda folder: Path("/dev/zero"))
UNREADABLE = (MISSING, DIRECTORY, BELOW_A_FILE, NUL_IN_NAME, ENDLESS)

EMPTY: Unreadable = ("is empty", _written(b""))
NOT_UTF8: Unreadable = ("byte 0 is not UTF-8", _written(b"\xff\xfeplanted-secret"))


@contextmanager
def without_privileges() -> Iterator[None]:
    """Read files as anybody would: root may read all of them."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def texts(error: BaseException | None) -> Iterator[str]:
    """Yield all that anybody may print of an error, what led to it included."""
    while error is not None:
        yield from (str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error)))
        error = error.__cause__ or error.__context__
