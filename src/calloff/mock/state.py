"""Everything the server remembers: jobs, keys, tokens, and who owns what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calloff.apis import APIS, ApiName
from calloff.mock.ci.models import ci_job_kinds
from calloff.mock.dli.models import dli_job_kinds
from calloff.mock.ids import Ids
from calloff.mock.jobs import JobStore
from calloff.mock.keys import Key, Keys, Login, Token, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from calloff.mock.dialects import Dialect
    from calloff.mock.jobs import Job, JobKind
    from calloff.mock.keys import Scope

TEMPORARY_SECONDS = 1800.0  # default lifetime of a temporary key (STS, lifetime)
PAST_SECONDS = 3600.0  # how long ago an expired credential ended
# Names under which the one project is known: that of a region in each cloud.
REGIONS: Mapping[ApiName, str] = {"otc-dli": "eu-de", "huaweicloud-dli": "cn-north-4"}
_BUCKETS = ("examplebucket-1250000000", "otherbucket-1250000000")


@dataclass(frozen=True, slots=True)
class Account:
    """The one IAM user of the server, and the project it works in."""

    user: str
    password: str = field(repr=False)
    domain: str
    project: str
    project_id: str
    user_id: str
    domain_id: str


class Stores:
    """Where a server keeps jobs, tokens, and the keys of each API: in memory."""

    def __init__(self) -> None:
        self.jobs = JobStore()
        self.tokens = Tokens()
        self.keys: Mapping[ApiName, Keys] = {name: Keys() for name in APIS}

    def forget(self) -> None:
        """Drop jobs and whatever was handed out."""
        self.jobs.forget()
        self.tokens.forget()
        for keys in self.keys.values():
            keys.forget()


class ServerState:
    """What the APIs of one server share. Owners are pairs: the account's own, and somebody else's.

    Args:
        apis: the APIs to serve.
        clock: gives the time in epoch seconds.
        dialect: the choices where the vendors are silent.
        seed: two servers with one seed give out the same ids and keys, and their jobs take as long.
        speed: how many times faster than in their tables jobs run by themselves; at 0 they stay where they are put.
        stores: where jobs, keys and tokens are kept; in memory without.
    """

    def __init__(
        self,
        apis: Iterable[ApiName],
        *,
        clock: Callable[[], float],
        dialect: Dialect,
        seed: int = 0,
        speed: float = 0.0,
        stores: Stores | None = None,
    ) -> None:
        self.clock = clock
        self.dialect = dialect
        self.ids = Ids(seed)
        self.seed = seed
        self.speed = speed
        self.apis = tuple(name for name in APIS if name in set(apis))
        self._stores = stores or Stores()
        self.jobs = self._stores.jobs
        self.tokens = self._stores.tokens
        self.keys = {name: self._stores.keys[name] for name in self.apis}
        projects = (self.ids.hex32(), self.ids.hex32())
        self.owners: Mapping[ApiName, tuple[str, str]] = {
            name: _BUCKETS if name == "tencent-ci" else projects for name in self.apis
        }
        self.account = Account(
            "mock-user",
            self.ids.word("password"),
            "mock-domain",
            REGIONS["otc-dli"],
            project_id=projects[0],
            user_id=self.ids.hex32(),
            domain_id=self.ids.hex32(),
        )
        self.login = Login()
        self.endpoints: dict[str, str] = {}  # address of each API and of the IAM, once they are known
        self.kinds = self.kinds_at(speed)
        self.default_credentials: Mapping[ApiName, dict[str, str]] = {
            name: self._defaults(name) for name in self.apis
        }

    def kinds_at(self, speed: float) -> Mapping[str, JobKind]:
        """Give the kinds of jobs, by operation, as they run at a speed."""
        return {**ci_job_kinds(self.dialect, self.ids, speed), **dli_job_kinds(self.dialect, self.ids, speed)}

    def new_key(
        self, api: ApiName, *, owner: str, lifetime: float | None = None, lasting: bool = False
    ) -> Key:
        """Make an access key; with a lifetime in seconds a temporary one."""
        key_id, secret = self.ids.word("access-key"), self.ids.word("secret-key").encode()
        if lifetime is None:
            key = Key(key_id, secret, owner)
        else:
            key = Key(key_id, secret, owner, self.ids.word("security-token"), self.clock() + lifetime)
        return self.keys[api].add(key, lasting=lasting)

    def new_iam_key(self, owner: str, *, lifetime: float) -> Key:
        """Make a temporary access key that every API of the IAM's clouds knows."""
        ends = self.clock() + lifetime
        secret, token = self.ids.word("secret-key").encode(), self.ids.word("security-token")
        key = Key(self.ids.word("access-key"), secret, owner, token, ends)
        for api in self.apis:
            if api in REGIONS:
                self.keys[api].add(key)
        return key

    def new_token(
        self,
        project: str,
        *,
        lifetime: float | None = None,
        lasting: bool = False,
        scope: Scope | None = None,
        project_name: str = "",
        method: str = "password",
    ) -> Token:
        """Make a token for a project (empty: scoped to the domain only), ending after seconds or never."""
        now = self.clock()
        ends = math.inf if lifetime is None else now + lifetime
        scope = scope or ("project" if project else "domain")
        token = Token(self.ids.word("token"), project, ends, min(now, ends), scope, project_name, method)
        return self.tokens.add(token, lasting=lasting)

    def new_job(self, operation: str, owner: str, state: str, *, finishes_after: float | None = None) -> Job:
        """Make a fresh job of an operation, named ``api/operation``, in a state; its time begins now.

        Where it *finishes after* so many seconds it does so whatever the speed, and ends well.
        """
        kind = self.kinds[operation]
        lifecycle = kind.lifecycle
        if finishes_after is not None:
            lifecycle = lifecycle.finishing(state, finishes_after)
        return self.jobs.new(kind.new_id(), operation, owner, lifecycle, state, now=self.clock())

    def forget(self) -> None:
        """Forget jobs and whatever was handed out; the default credentials stay."""
        self._stores.forget()
        self.login.forget()

    def _defaults(self, api: ApiName) -> dict[str, str]:
        owner = self.owners[api][0]
        key = self.new_key(api, owner=owner, lasting=True)
        if api == "tencent-ci":
            return {"secret_id": key.id, "secret_key": key.secret.decode()}
        token = self.new_token(owner, lasting=True)
        return {"access_key": key.id, "secret_key": key.secret.decode(), "token": token.value}
