"""The page of what a Python program may import, written by Sphinx from the docstrings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from docs_site.markdown import fence, heading, page

# What stands under which heading; a name that fits none of the others is an error class or stands under the first.
_GROUPS = {
    "Clients": ("Client", "ClientOptions"),
    "What comes back": ("CancelAccepted", "JobState"),
    "Many jobs": ("cancel_many", "cancel_all", "Outcome"),
    "Credentials": ("AccessKey", "TemporaryKey", "RefreshingKey", "Token", "IamPassword"),
    "Errors": ("Error",),
}


def python_api(names: Iterable[str]) -> str:
    """Return the page of the public *names*.

    Raises ValueError for a name that belongs under no heading, so that none is left out unseen.
    """
    left = {name for name in names if not name.startswith("__")}
    parts: list[str] = []
    for title, ends in _GROUPS.items():
        members = sorted((name for name in left if name.endswith(ends)), key=lambda name: _order(name, ends))
        left -= set(members)
        parts += [heading(2, title), *(part for name in members for part in _described(name))]
    if left:
        raise ValueError(f"the page of the Python API has no heading for {', '.join(sorted(left))}")
    return page(
        "Python API",
        "Everything that `calloff` offers a program; [how to use it](python.md) comes first. What a module offers "
        "besides may change without notice.\n",
        *parts,
    )


def _order(name: str, ends: tuple[str, ...]) -> tuple[int, bool, str]:
    place = next(number for number, end in enumerate(ends) if name.endswith(end))
    return place, name.startswith("Async"), name


def _described(name: str) -> Iterator[str]:
    yield heading(3, name, "python", name)
    if name[0].isupper():
        more = ":show-inheritance:" if name.endswith("Error") else ":members:\n   :inherited-members: dict"
        yield fence(f".. autoclass:: calloff.{name}\n   {more}", "{eval-rst}")
    else:
        yield fence(f".. autofunction:: calloff.{name}", "{eval-rst}")
