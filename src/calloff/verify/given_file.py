"""Read a file that a user names with an option, and say in a sentence what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from calloff.errors import InvalidInputError
from calloff.references import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 1 << 20


def read_toml(path: Path, option: str, *, may_be_empty: bool = False) -> dict[str, Any]:
    """Return what the TOML file *path* says; raise InvalidInputError, which quotes no value, where it is none.

    One that says nothing is refused as well, unless it *may be empty*.
    """
    content = read_bytes(path, option, LARGEST)
    # Raised outside the handlers: their errors carry the whole content, which may hold a secret by mistake.
    problem = ""
    tables: dict[str, Any] = {}
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8"
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"\(at [^()]*\)$", str(error))
        problem = f"not TOML {place[0]}" if place else "not TOML"
    if not (problem or tables or may_be_empty):
        problem = "it is empty"
    if problem:
        raise InvalidInputError(f"{option}: {str(path)!r}: {problem}")
    return tables
