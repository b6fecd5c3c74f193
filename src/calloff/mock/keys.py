"""Access keys, tokens and logins the server knows. Their secrets appear in no repr."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

LOCK_AFTER = 5  # failures in a row that are forgiven; the next one locks the key (HW-SIGN, api-sign-0001)
LOCK_SECONDS = 300.0
# HW-IAM and OTC-IAM, login authentication policy: 15 minutes at least, and 15 by default; so is the time
# after which failures no longer count. Five failures are the default there too.
LOGIN_SECONDS = 900.0

Scope = Literal["project", "domain", "none"]


@dataclass(slots=True)
class Key:
    """An access key; with a security token a temporary one. Ends at an epoch second."""

    id: str
    secret: bytes = field(repr=False)
    owner: str
    security_token: str = field(default="", repr=False)
    ends: float = math.inf
    failures: int = 0
    locked_until: float = 0.0

    def locked(self, now: float) -> bool:
        """Tell whether too many failures in a row have locked the key."""
        return now < self.locked_until

    def failed(self, now: float) -> None:
        """Count a failure; the sixth in a row locks the key for five minutes."""
        self.failures += 1
        if self.failures > LOCK_AFTER:
            self.failures = 0
            self.locked_until = now + LOCK_SECONDS


@dataclass(slots=True)
class Login:
    """How often a user of the IAM showed a wrong password."""

    failures: int = 0
    failing_since: float = 0.0
    locked_until: float = 0.0

    def locked(self, now: float) -> bool:
        """Tell whether too many failures have locked the user."""
        return now < self.locked_until

    def failed(self, now: float) -> None:
        """Count a failure; the sixth within 15 minutes locks the user for 15 minutes."""
        if not self.failures or now - self.failing_since >= LOGIN_SECONDS:
            self.failures, self.failing_since = 0, now
        self.failures += 1
        if self.failures > LOCK_AFTER:
            self.failures = 0
            self.locked_until = now + LOGIN_SECONDS

    def forget(self) -> None:
        """Forget every failure, and unlock the user."""
        self.failures, self.locked_until = 0, 0.0


@dataclass(frozen=True, slots=True)
class Token:
    """An IAM token; ``project`` is empty where it was scoped to none. Issued and ends at epoch seconds."""

    value: str = field(repr=False)
    project: str
    ends: float = math.inf
    issued: float = 0.0
    scope: Scope = "project"
    project_name: str = ""
    method: str = "password"


class Keys:
    """The keys of one API. Those added as ``lasting`` survive `forget`."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._lasting: dict[str, Key] = {}

    def add(self, key: Key, *, lasting: bool = False) -> Key:
        """Keep a key."""
        (self._lasting if lasting else self._keys)[key.id] = key
        return key

    def find(self, key_id: str) -> Key | None:
        """Find a key by its whole id."""
        return self._keys.get(key_id) or self._lasting.get(key_id)

    def forget(self) -> None:
        """Drop every key that was handed out, and unlock the lasting ones."""
        self._keys.clear()
        for key in self._lasting.values():
            key.failures, key.locked_until = 0, 0.0


class Tokens:
    """The tokens of the IAM. Those added as ``lasting`` survive `forget`."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._lasting: dict[str, Token] = {}

    def add(self, token: Token, *, lasting: bool = False) -> Token:
        """Keep a token."""
        (self._lasting if lasting else self._tokens)[token.value] = token
        return token

    def find(self, value: str) -> Token | None:
        """Find a token by its whole text."""
        return self._tokens.get(value) or self._lasting.get(value)

    def drop(self, token: Token) -> None:
        """Make a token worthless."""
        self._tokens.pop(token.value, None)
        self._lasting.pop(token.value, None)

    def all(self) -> tuple[Token, ...]:
        """Give every token."""
        return (*self._lasting.values(), *self._tokens.values())

    def forget(self) -> None:
        """Drop every token that was handed out."""
        self._tokens.clear()
