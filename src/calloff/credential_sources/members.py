"""What one source says of a credential, member by member, and the credential that this makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from calloff.apis import ApiName
from calloff.credentials import AccessKey, DliCredential, IamPassword, RefreshingKey, TemporaryKey, Token
from calloff.errors import InvalidInputError


class _Kind(NamedTuple):
    name: str
    needed: tuple[str, ...]
    begins: tuple[str, ...]  # the members that show that this kind is meant


# The first that is whole is taken: the order of OTC's own Terraform provider (OTC-TF, "Authentication").
_KINDS = (
    _Kind("a token", ("token",), ("token",)),
    _Kind("a key pair", ("access_key", "secret_key"), ("access_key", "secret_key", "security_token")),
    _Kind("an IAM user", ("user", "password", "domain"), ("user", "password")),
)
SECRET_OR_IDENTITY = tuple(dict.fromkeys(member for kind in _KINDS for member in kind.begins))


@dataclass(frozen=True, slots=True)
class Members:
    """The values that a source gives, and what the source calls each member, for errors."""

    values: Mapping[str, str] = field(repr=False)
    names: Mapping[str, str]

    def credential(self, api: ApiName, *, one_kind: bool = False) -> DliCredential:
        """Make the credential; raise InvalidInputError where it is half-filled, or none that ``api`` takes.

        With ``one_kind`` two kinds in one source are refused; without it the first that is whole is taken.
        """
        begun = [kind for kind in _KINDS if any(member in self.values for member in kind.begins)]
        if one_kind and len(begun) > 1:
            raise InvalidInputError(
                f"{self._begun(begun[0])} and {self._begun(begun[1])} give two credentials; give one of them"
            )
        usable = begun if api != "tencent-ci" else [kind for kind in begun if kind.name == "a key pair"]
        if not usable:
            kinds = " and ".join(kind.name for kind in begun)
            raise InvalidInputError(f"tencent-ci takes a key pair, not {kinds}")
        for kind in usable:
            if all(member in self.values for member in kind.needed):
                return self._made(kind)
        raise InvalidInputError("; ".join(self._lack(kind) for kind in usable))

    def _made(self, kind: _Kind) -> DliCredential:
        values = self.values
        if kind.name == "a token":
            return Token(values["token"])
        if kind.name == "an IAM user":
            root = values.get("iam_url", "").rstrip("/").removesuffix("/v3")
            user, password, domain = (values[member] for member in kind.needed)
            return IamPassword(user, password, domain, values.get("project_name", ""), root)
        pair = values["access_key"], values["secret_key"]
        if token := values.get("security_token"):
            return TemporaryKey(*pair, token)
        return AccessKey(*pair)

    def _lack(self, kind: _Kind) -> str:
        missing = [self.names[member] for member in kind.needed if member not in self.values]
        return f"{self._begun(kind)} is set, but not {' and '.join(missing)}; {kind.name} needs all of them"

    def _begun(self, kind: _Kind) -> str:
        return next(self.names[member] for member in kind.begins if member in self.values)


def shortened(key_id: str) -> str:
    """Show enough of the id of a key to know it by."""
    return f"{key_id[:4]}…{key_id[-4:]}" if len(key_id) >= 12 else f"{key_id[:2]}…"


def identity(credential: DliCredential) -> str:
    """Say whose a credential is, without what would let anybody use it."""
    match credential:
        case AccessKey():
            return f"access key {shortened(credential.id)}"
        case TemporaryKey():
            return f"temporary key {shortened(credential.id)}"
        case RefreshingKey():
            return "temporary key that is renewed"
        case IamPassword():
            return f"IAM user {credential.user} of {credential.domain}"
        case Token():
            return "token"
