"""Read a named cloud of ``clouds.yaml``, by openstacksdk's own reader, which finds and merges the files."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Self

from calloff.credential_sources.members import Members
from calloff.errors import InvalidInputError, MissingExtraError

# Where each member stands; the keys of OTC's tools stand in auth (OTC-GO) or beside it (otcextensions).
_PATHS: Mapping[str, tuple[str, ...]] = {
    "token": ("auth.token",),
    "access_key": ("auth.access_key", "access_key", "auth.ak", "ak"),
    "secret_key": ("auth.secret_key", "secret_key", "auth.sk", "sk"),
    "security_token": ("auth.security_token", "security_token"),
    "user": ("auth.username",),
    "password": ("auth.password",),
    "domain": ("auth.user_domain_name", "auth.domain_name"),
    "iam_url": ("auth.auth_url",),
    "project_id": ("auth.project_id",),
    "project_name": ("auth.project_name",),
    "region": ("region_name",),
}


def read_cloud(name: str, environment: Mapping[str, str]) -> Members:
    """Return what ``clouds.yaml`` (and ``secure.yaml``) say of the cloud ``name``.

    Nothing is fetched, no variable but OS_CLIENT_CONFIG_FILE and OS_CLIENT_SECURE_FILE is read. Raises
    MissingExtraError without openstacksdk, InvalidInputError where the files do not say what is needed.
    """
    if find_spec("openstack") is None:
        raise MissingExtraError(
            "clouds.yaml is read by openstacksdk; install it with: pip install 'calloff[openstack]'"
        )
    config = _config(name, environment)
    values: dict[str, str] = {}
    names: dict[str, str] = {}
    for member, paths in _PATHS.items():
        given = [path for path in paths if _value(config, path) not in (None, "")]
        names[member] = f"{(given or paths)[0]} of cloud {name}"
        if given:
            values[member] = _text(_value(config, given[0]), names[member])
    if not any(member in values for member in ("token", "access_key", "secret_key", "user", "password")):
        raise InvalidInputError(
            f"cloud {name} in clouds.yaml holds no token, no access_key and no username; calloff takes these"
        )
    return Members(values, names)


def _config(name: str, environment: Mapping[str, str]) -> dict[str, Any]:
    files, secure = (environment.get(f"OS_CLIENT_{kind}_FILE") for kind in ("CONFIG", "SECURE"))
    for variable, path in (("OS_CLIENT_CONFIG_FILE", files), ("OS_CLIENT_SECURE_FILE", secure)):
        if path and not os.path.isfile(path):  # noqa: PTH113 - text from outside may be no path at all
            raise InvalidInputError(f"{variable} names {path!r}, which is no file")
    problem = ""
    config: dict[str, Any] = {}
    with warnings.catch_warnings(), _Skipped() as skipped:
        # What becomes of parts of openstacksdk that are not used here.
        warnings.simplefilter("ignore")
        from openstack.config import OpenStackConfig

        # Not raised from the handler: the errors of the parser may quote the file.
        try:
            loader = OpenStackConfig(
                config_files=[files] if files else None,
                secure_files=[secure] if secure else None,
                load_envvars=False,
            )
            clouds = loader.cloud_config["clouds"]
            if skipped.problems:
                problem = skipped.problems[0]
            elif loader.config_filename is None:
                problem = "no clouds.yaml was found here, in ~/.config/openstack or in /etc/openstack"
            elif name not in clouds:
                known = ", ".join(
                    each for each in clouds if each != "defaults"
                )  # that one is the reader's own
                problem = f"{loader.config_filename} has no cloud {name!r}; it has {known or 'none'}"
            elif "://" in str(clouds[name].get("profile") or clouds[name].get("cloud") or ""):
                problem = f"cloud {name} takes its profile from a server, which is not asked; write it out"
            else:
                config = loader.get_one(cloud=name, validate=False, load_envvars=False).config
        except Exception as error:  # noqa: BLE001 - of YAML, of its shape, of the reader
            problem = f"clouds.yaml does not describe clouds as it should: {type(error).__name__}"
    if problem:
        raise InvalidInputError(problem)
    return config


class _Skipped(logging.Filter):
    """Keeps what the reader logs, which may quote the file, and takes a file that it skips for a problem."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self._log = logging.getLogger("openstack.config")

    def __enter__(self) -> Self:
        self._log.addFilter(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        match record.args:
            case (str(path), Exception() as error):
                mark = getattr(error, "problem_mark", None)
                self.problems.append(f"{path} is not YAML{f' at line {mark.line + 1}' if mark else ''}")
        return False


def _value(config: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(config, Mapping):
            return None
        config = config.get(part)
    return config


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidInputError(f"expected {name} to be text, in quotes; got {type(value).__name__}")
    return value
