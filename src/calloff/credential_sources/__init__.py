"""Find the credential of an API where people keep it: options, the environment, ``clouds.yaml``, a command.

The first source that names one supplies all of it, in this order: what is given explicitly (keys, token or user; a
command; a cloud), ``CALLOFF_*``, the vendor's own variables, a cloud that ``OS_CLOUD`` names, ``OS_*``. A source
that is half-filled is an error, never passed over and never completed from the next one: to cancel as somebody else
than was meant is worse than not to cancel.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypedDict, Unpack

from calloff.apis import ApiName
from calloff.credential_sources.clouds import read_cloud
from calloff.credential_sources.command import OPTION as COMMAND
from calloff.credential_sources.command import ask
from calloff.credential_sources.members import Members, identity
from calloff.credential_sources.variables import OWN, VARIABLE_SETS, VariableSet
from calloff.credentials import DliCredential, RefreshingKey, TemporaryKey
from calloff.errors import CalloffError, CredentialError, InvalidInputError
from calloff.references import resolve

# The options that give a credential; those of secrets take references.
_PLAIN = ("access_key", "iam_user", "iam_domain", "iam_url")
_SECRET = ("secret_key", "security_token", "token", "iam_password")
_TEXT = frozenset({"iam_user", "iam_domain", "iam_password"})  # IAM takes what no header could carry


@dataclass(frozen=True, slots=True)
class Found:
    """A credential and where it came from.

    ``identity`` says whose it is, with the id of a key shortened; ``project_id`` and ``region`` are empty where
    neither the caller nor the source names one; ``expires_at`` is in Unix seconds, None where it is not known.
    """

    credential: DliCredential = field(repr=False)
    source: str
    identity: str
    project_id: str = ""
    region: str = ""
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """A source that was looked at, and what became of it."""

    source: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Search:
    """What a search came to: the credential, or what is wrong; and every source in order."""

    api: ApiName
    found: Found | None
    problem: str
    looked: tuple[Looked, ...]


class Options(TypedDict, total=False):
    """What ``find`` takes by keyword; None is the same as leaving it out.

    *secret_key*, *security_token*, *token* and *iam_password* are references, ``env:NAME`` or ``file:PATH``;
    *access_key* may be one. *command* prints a key as JSON and is run again before the end of that key. *cloud* is a
    name in ``clouds.yaml``. *project_id* and *region* come before those of the source.
    """

    access_key: str | None
    secret_key: str | None
    security_token: str | None
    token: str | None
    iam_user: str | None
    iam_password: str | None
    iam_domain: str | None
    iam_url: str | None
    command: str | None
    cloud: str | None
    project_id: str | None
    region: str | None


def find(
    api: ApiName,
    *,
    environment: Mapping[str, str] = os.environ,
    now: float | None = None,
    **options: Unpack[Options],
) -> Found:
    """Return the credential that the first source names; ``options`` are those of ``Options``.

    *now* is in Unix seconds. Raises CredentialError where no source names a credential, a temporary key has ended or
    the command fails; InvalidInputError where the source is half-filled or makes no sense; MissingExtraError where
    openstacksdk is needed and missing.
    """
    return _Finder(api, options, environment, now).find(
        hint=f"; calloff whoami {api} shows what was looked at"
    )


def look(
    api: ApiName,
    *,
    environment: Mapping[str, str] = os.environ,
    now: float | None = None,
    **options: Unpack[Options],
) -> Search:
    """Do what ``find`` does, and return what came of every source instead of raising a CalloffError."""
    finder = _Finder(api, options, environment, now)
    found, problem = None, ""
    try:
        found = finder.find()
    except CalloffError as error:
        problem = str(error)
    chosen, looked = finder.chosen(), []
    for place in finder.places:
        verdict = f"not used: {place.what}" if place.what else "not set"
        if place is chosen:
            verdict = "used" if found else "cannot be used"
        looked.append(Looked(place.name, verdict))
    return Search(api, found, problem, tuple(looked))


def named_by(source: str, member: str) -> str:
    """Say what besides an option gives ``region`` or ``project_id`` to a credential of ``source``."""
    sets = [each for each in VARIABLE_SETS if each.name in {source, OWN} and member in each.variables]
    names = [each.variables[member][0] for each in sets]
    if source in {"--cloud", "OS_CLOUD"}:
        names.insert(0, f"{'region_name' if member == 'region' else member} of the cloud in clouds.yaml")
    return " or ".join(names)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a credential may be: what of it is set, empty where nothing is, and how to read it."""

    name: str
    what: str
    read: Callable[[], tuple[DliCredential, Members]]
    explicit: bool = False


class _Finder:
    """One search: the places in their order, and the credential of the first where something is set."""

    def __init__(
        self, api: ApiName, options: Options, environment: Mapping[str, str], now: float | None
    ) -> None:
        self._api, self._options, self._environment = api, options, environment
        self._now = time.time() if now is None else now
        given = [_option(name) for name in (*_PLAIN, *_SECRET) if options.get(name)]
        command, cloud = options.get("command") or "", options.get("cloud") or ""
        self.places = [
            _Place("options", " and ".join(given), self._read_options, explicit=True),
            _Place(COMMAND, COMMAND if command else "", partial(self._run, command), explicit=True),
            _Place(
                "--cloud", f"--cloud {cloud}" if cloud else "", partial(self._cloud, cloud), explicit=True
            ),
        ]
        for variables in VARIABLE_SETS:
            if api not in variables.apis:
                continue
            if variables.after_cloud:
                name = environment.get("OS_CLOUD", "")
                self.places.append(_Place("OS_CLOUD", name, partial(self._cloud, name)))
            names = " and ".join(variables.set_here(environment))
            self.places.append(_Place(variables.name, names, partial(self._variables, variables)))

    def chosen(self) -> _Place | None:
        """Return the first place where something is set."""
        return next((place for place in self.places if place.what), None)

    def find(self, *, hint: str = "") -> Found:
        """Return the credential; raise CalloffError where there is none (``hint`` ends it), or it cannot be used."""
        explicit = [place.what for place in self.places if place.explicit and place.what]
        if len(explicit) > 1:
            raise InvalidInputError(f"{' and '.join(explicit)} each give a credential; give one of them")
        if (place := self.chosen()) is None:
            raise CredentialError(f"no credential for {self._api}: {_advice(self._api)}{hint}")
        try:
            credential, members = place.read()
            if isinstance(credential, TemporaryKey):
                credential.check_time(self._now)
            key = credential.get(self._now) if isinstance(credential, RefreshingKey) else credential
        except (CredentialError, InvalidInputError) as error:
            text = str(error)
            named = text if text.startswith(place.name) else f"{place.name}: {text}"
            raise type(error)(named) from None
        return Found(
            credential,
            place.name,
            identity(key),
            self._options.get("project_id") or self._place(members, "project_id"),
            self._options.get("region") or self._place(members, "region"),
            key.expires_at if isinstance(key, TemporaryKey) else None,
        )

    def _place(self, members: Members, member: str) -> str:
        own = next(each for each in VARIABLE_SETS if each.name == OWN).read(self._environment)
        return members.values.get(member) or own.values.get(member, "")

    def _read_options(self) -> tuple[DliCredential, Members]:
        given = [
            (name, str(self._options.get(name))) for name in (*_PLAIN, *_SECRET) if self._options.get(name)
        ]
        values = {
            _member(name): resolve(
                reference, _option(name), self._environment, secret=name in _SECRET, spaces=name in _TEXT
            )
            for name, reference in given
        }
        members = Members(values, {_member(name): _option(name) for name in (*_PLAIN, *_SECRET)})
        return members.credential(self._api, one_kind=True), members

    def _cloud(self, name: str) -> tuple[DliCredential, Members]:
        members = read_cloud(name, self._environment)
        return members.credential(self._api), members

    def _variables(self, variables: VariableSet) -> tuple[DliCredential, Members]:
        members = variables.read(self._environment)
        return members.credential(self._api), members

    def _run(self, command: str) -> tuple[DliCredential, Members]:
        first = ask(command, self._environment)
        if not isinstance(first, TemporaryKey):
            return first, Members({}, {})
        first.check_time(self._now)
        # The one at hand serves until it is due; only then is the command run again.
        pending = [first]

        def renew() -> TemporaryKey:
            key = pending.pop() if pending else ask(command, self._environment)
            if isinstance(key, TemporaryKey):
                return key
            raise CredentialError("it printed a temporary key before, and one without a token now")

        return RefreshingKey(renew), Members({}, {})


def _member(option: str) -> str:
    return option if option == "iam_url" else option.removeprefix("iam_")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _advice(api: ApiName) -> str:
    sets = [each for each in VARIABLE_SETS if api in each.apis and each.name != OWN]
    pairs = [f"{each.variables['access_key'][0]} and {each.variables['secret_key'][0]}" for each in sets]
    clouds = "" if api == "tencent-ci" else ", --cloud with a cloud of clouds.yaml"
    return f"set {', or '.join(pairs)}; or give --access-key and --secret-key{clouds}, or {COMMAND}"
