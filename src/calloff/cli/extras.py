"""Say which extra a command needs before its imports fail."""

from __future__ import annotations

from importlib.util import find_spec

from calloff.errors import MissingExtraError

_EXTRAS = {
    "bulk": ("aiohttp", "platformdirs", "rich", "tenacity"),
    "mock": ("httptools", "uvicorn", "yaml"),
    "verify": ("h11", "hypothesis", "jinja2", "jsonschema", "platformdirs", "rich", "schemathesis", "yaml"),
}


def require_extra(name: str) -> None:
    """Raise MissingExtraError, naming what is missing, unless the extra *name* is installed."""
    missing = [module for module in _EXTRAS[name] if find_spec(module) is None]
    if missing:
        msg = f"this needs {', '.join(missing)}; install it with: pip install 'calloff[{name}]'"
        raise MissingExtraError(msg)
