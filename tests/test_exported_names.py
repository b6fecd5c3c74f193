"""The public names of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import calloff
from calloff import errors

TREE = ast.parse(Path(str(calloff.__file__)).read_text(encoding="utf-8"))
TYPED = {
    alias.name
    for node in ast.walk(TREE)
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("calloff.")
    for alias in node.names
}


def test_every_public_name_is_known_to_type_checkers_too() -> None:
    assert TYPED | {"__version__"} == set(calloff.__all__)
    assert calloff.__all__ == sorted(calloff.__all__)


@pytest.mark.parametrize("name", calloff.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(calloff, name) is not None
    assert name in dir(calloff)


ERRORS = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and value.__module__ == errors.__name__
}


def test_every_error_is_public() -> None:
    assert set(ERRORS) <= set(calloff.__all__)


def test_every_error_stands_in_the_drawing_of_the_tree() -> None:
    for name, value in ERRORS.items():
        assert f"{name} " in (errors.__doc__ or "").replace("\n", " ")
        assert issubclass(value, errors.CalloffError)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        calloff.nothing  # noqa: B018


def test_the_version_is_the_one_installed() -> None:
    assert calloff.__version__ == version("calloff")


def test_the_package_loads_no_http_library_before_one_is_needed() -> None:
    program = (
        "import sys, calloff; calloff.AccessKey('a', 'b'); calloff.ApiError\n"
        "print([name for name in ('httpx', 'httpcore', 'attrs', 'yaml', 'ssl') if name in sys.modules])\n"
        "calloff.OtcDliClient\n"
        "print([name for name in ('httpx', 'attrs', 'yaml') if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout.splitlines() == ["[]", "[]"]
