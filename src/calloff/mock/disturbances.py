"""Faults on demand: what may go wrong on the way to a server that is right.

A disturbance is data. It says what happens (`kind` and its parameters), to which operations, and how often. It breaks
no requirement and is no dialect: the server behind it stays correct. `calloff.mock.faults` carries it out.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from calloff.apis import OPERATIONS
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from calloff.apis import ApiName

GATEWAY_RATE = 200.0  # HW-GW 0308: the gateway's default, requests per second and API
LONGEST_SECONDS = 3600.0
LONGEST_SKEW = 10 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kind: what it means, its type, its default, and what it may be."""

    meaning: str
    type: type[Any]
    default: Any
    expected: str
    allowed: Callable[[Any], bool]

    @property
    def shown_default(self) -> str:
        """Give the default as it is written on a command line."""
        shown = f"{self.default:g}" if self.type is float else str(self.default)
        return shown.lower() if self.type is bool else shown


def _in(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


def _one_of(*values: int) -> Callable[[Any], bool]:
    return lambda value: value in values


COMMON: Mapping[str, Parameter] = {
    "operations": Parameter("the operations concerned", str, "*", "a pattern over API/operation", bool),
    "requests": Parameter(
        "how many requests it disturbs before it ends; every one without",
        int,
        None,
        "1 or more requests",
        _in(1, 10**9),
    ),
    "probability": Parameter(
        "how likely a request is disturbed", float, 1.0, "more than 0, up to 1", lambda value: 0 < value <= 1
    ),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of disturbance.

    Args:
        meaning: what happens, for people.
        parameters: those it takes, by name.
        server_wide: it changes the whole server, so that operations, requests and probability make no sense.
    """

    meaning: str
    parameters: Mapping[str, Parameter]
    server_wide: bool = False

    @property
    def takes(self) -> Mapping[str, Parameter]:
        """Give its parameters, those of every kind included."""
        return self.parameters if self.server_wide else {**COMMON, **self.parameters}


# What a disturbance can befall: the operations and their status calls.
CALLS: Mapping[str, ApiName] = {
    **{key: operation.api for key, operation in OPERATIONS.items()},
    **{operation.status.key: operation.api for operation in OPERATIONS.values()},
}
_APPLIED = Parameter(
    "whether the request takes effect before its answer is spoilt", bool, False, "true or false", _in(0, 1)
)
KINDS: Mapping[str, Kind] = {
    "latency": Kind(
        "answers late",
        {
            "seconds": Parameter(
                "how late", float, 1.0, f"0 to {LONGEST_SECONDS:g} seconds", _in(0, LONGEST_SECONDS)
            )
        },
    ),
    "throttle": Kind(
        "answers 429 with Retry-After, in the vendor's form",
        {
            "rate": Parameter(
                "requests per second and API that pass; 0 refuses all",
                float,
                GATEWAY_RATE,
                "0 or more requests per second",
                _in(0, 1e6),
            ),
            "retry_after": Parameter(
                "the Retry-After", int, 1, f"0 to {LONGEST_SECONDS:g} seconds", _in(0, LONGEST_SECONDS)
            ),
        },
    ),
    "status": Kind(
        "fails, in the vendor's form",
        {
            "status": Parameter("the HTTP status", int, 500, "500 to 504", _in(500, 504)),
            "applied": _APPLIED,
        },
    ),
    "gateway": Kind(
        "answers with the bare HTML page of a reverse proxy",
        {
            "status": Parameter("the HTTP status", int, 502, "502, 503 or 504", _one_of(502, 503, 504)),
            "applied": _APPLIED,
        },
    ),
    "reset": Kind("resets the connection instead of an answer", {"applied": _APPLIED}),
    "close": Kind("closes the connection after the answer, and says so", {}),
    "truncate": Kind("does as asked, sends half of the answer and closes the connection", {}),
    "content-type": Kind(
        "gives the answer another Content-Type",
        {
            "content_type": Parameter(
                "the Content-Type",
                str,
                "text/html",
                "visible ASCII, up to 100 characters",
                lambda value: 0 < len(value) <= 100 and all(" " <= character <= "~" for character in value),
            )
        },
    ),
    "clock-skew": Kind(
        "puts the clock of the server, and so its Date, ahead or behind",
        {
            "seconds": Parameter(
                "how far ahead, negative for behind",
                float,
                1200.0,
                f"{-LONGEST_SKEW:.0f} to {LONGEST_SKEW:.0f} seconds",
                _in(-LONGEST_SKEW, LONGEST_SKEW),
            )
        },
        server_wide=True,
    ),
}
# What a vendor's form exists for, by API: CI-ERR; HW-GW.
STATUSES: Mapping[str, tuple[int, ...]] = {
    "tencent-ci": (500, 501, 503),
    "otc-dli": (500, 502, 503, 504),
    "huaweicloud-dli": (500, 502, 503, 504),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """A fault on demand. Which parameters a kind takes beside the first four is in `KINDS`.

    Args:
        kind: what happens, a name in `KINDS`.
        operations: the operations and status calls it happens to, as a pattern (`fnmatch`) over ``api/operation``;
            one that ends in ``*`` also matches requests to the API that name no operation.
        requests: how many requests it disturbs before it ends; without, it does not end.
        probability: how likely it disturbs a request that it concerns, drawn under the server's seed.

    Raises:
        InvalidInputError: an unknown kind, a parameter that the kind does not have, or a value out of range.
    """

    kind: str
    operations: str = "*"
    requests: int | None = None
    probability: float = 1.0
    seconds: float | None = None
    rate: float | None = None
    retry_after: int | None = None
    status: int | None = None
    applied: bool | None = None
    content_type: str | None = None

    def __post_init__(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise InvalidInputError(f"no disturbance {self.kind!r}; there are: {', '.join(KINDS)}")
        takes = kind.takes
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if field.name in takes:
                object.__setattr__(self, field.name, self._checked(field.name, takes[field.name], value))
            elif value != field.default:
                raise InvalidInputError(f"{self.kind} takes no {field.name}; it takes: {', '.join(takes)}")
        self._check_operations()

    def _checked(self, name: str, parameter: Parameter, value: Any) -> Any:
        if value is None:
            return parameter.default
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = number if parameter.type is float else type(value) is parameter.type
        if not fits or not parameter.allowed(value):
            raise InvalidInputError(f"{self.kind}: {name} is {parameter.expected}, not {value!r}")
        return parameter.type(value)

    def _check_operations(self) -> None:
        concerned = {api for key, api in CALLS.items() if self.concerns(key)}
        if not concerned:
            raise InvalidInputError(
                f"{self.kind}: no operation matches {self.operations!r}; there are: {', '.join(CALLS)}"
            )
        for api in sorted(concerned) if self.kind == "status" else ():
            if self.status not in STATUSES[api]:
                has = ", ".join(str(status) for status in STATUSES[api])
                raise InvalidInputError(
                    f"{api} has no form for status {self.status}; it has {has}. The kind gateway takes a bare one."
                )

    def concerns(self, key: str) -> bool:
        """Tell whether it concerns an operation, named ``api/operation``."""
        return fnmatchcase(key, self.operations)

    def members(self) -> dict[str, object]:
        """Give kind and parameters as data; what is not set is left out."""
        taken = {name: getattr(self, name) for name in KINDS[self.kind].takes}
        return {"kind": self.kind, **{name: value for name, value in taken.items() if value is not None}}


def from_members(members: Mapping[str, Any]) -> Disturbance:
    """Make a disturbance of data, such as a JSON object.

    Raises:
        InvalidInputError: as for `Disturbance`, also where a member is none of a disturbance.
    """
    kind = members.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InvalidInputError(f"expected the kind of a disturbance: {', '.join(KINDS)}, not {kind!r}")
    takes = KINDS[kind].takes
    if unknown := [name for name in members if name not in takes and name != "kind"]:
        raise InvalidInputError(f"{kind} takes no {unknown[0]}; it takes: {', '.join(takes)}")
    return Disturbance(**members)


def parse_disturbance(text: str) -> Disturbance:
    """Read a disturbance written ``KIND[:key=value,…]``, as in ``latency:seconds=0.05,operations=otc-dli/*``.

    Raises:
        InvalidInputError: as for `Disturbance`, also for a text of another form.
    """
    name, _, rest = text.partition(":")
    kind = KINDS.get(name)
    if kind is None:
        raise InvalidInputError(f"no disturbance {name!r}; there are: {', '.join(KINDS)}")
    members: dict[str, Any] = {"kind": name}
    for part in rest.split(",") if rest else ():
        key, equals, value = part.partition("=")
        key = key.replace("-", "_")
        if not equals or key in members:
            raise InvalidInputError(f"{name}: expected KEY=VALUE, each key once, not {part!r}")
        parameter = kind.takes.get(key)
        members[key] = value if parameter is None else _read(name, key, parameter, value)
    return from_members(members)


def _read(name: str, key: str, parameter: Parameter, value: str) -> Any:
    try:
        if parameter.type is bool:
            return {"true": True, "false": False}[value]
        return parameter.type(value)
    except (KeyError, ValueError) as error:
        raise InvalidInputError(f"{name}: {key} is {parameter.expected}, not {value!r}") from error


class Running:
    """A disturbance in force: how many requests are left to it, its draws, and its count of each API."""

    __slots__ = ("_draws", "_windows", "disturbance", "id", "left")

    def __init__(self, number: int, disturbance: Disturbance, seed: int) -> None:
        self.id = number
        self.disturbance = disturbance
        self.left = disturbance.requests
        self._draws = random.Random(f"{seed}/{number}")  # noqa: S311 - repeatable on purpose
        self._windows: dict[str, tuple[float, int]] = {}

    def strikes(self, api: str, key: str, now: float) -> bool:
        """Tell whether it disturbs a request to an operation that came at a time, and count it if so."""
        disturbance = self.disturbance
        if self.left == 0 or not disturbance.concerns(key):
            return False
        if disturbance.kind == "throttle" and not self._over(api, now):
            return False
        if disturbance.probability < 1 and self._draws.random() >= disturbance.probability:
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def _over(self, api: str, now: float) -> bool:
        """Count requests by seconds that begin with the first of them, as the gateway does; only what passes counts."""
        began, count = self._windows.get(api, (now, 0))
        if not began <= now < began + 1:
            began, count = now, 0
        if count + 1 > (self.disturbance.rate or 0):
            return True
        self._windows[api] = (began, count + 1)
        return False


class Disturbances:
    """The disturbances of one server. May be changed from another thread than the one that serves.

    ``active`` is empty where there is nothing to do, which is all that a request looks at then.

    Args:
        given: in force from the start, and again after `reset`.
        seed: two servers with one seed disturb the same requests of the same sequence.
    """

    def __init__(self, given: Iterable[Disturbance] = (), *, seed: int = 0) -> None:
        self._given = tuple(given)
        self._seed = seed
        self._lock = threading.Lock()
        self._last = 0
        self._all: tuple[Running, ...] = ()
        self.active: tuple[Running, ...] = ()
        self.skew = 0.0
        self.reset()

    def reset(self) -> None:
        """Go back to what was given at the start."""
        with self._lock:
            self._last = 0
            self._put([self._numbered(disturbance) for disturbance in self._given])

    def add(self, disturbance: Disturbance) -> Running:
        """Put one in force after the others."""
        with self._lock:
            added = self._numbered(disturbance)
            self._put([*self._all, added])
            return added

    def remove(self, number: int) -> bool:
        """End one; False where there is none of that number."""
        with self._lock:
            found = any(running.id == number for running in self._all)
            self._put([running for running in self._all if running.id != number])
            return found

    def clear(self) -> None:
        """End all, those given at the start too."""
        with self._lock:
            self._put([])

    def all(self) -> tuple[Running, ...]:
        """Give those in force, in the order in which they apply."""
        return self._all

    def drop_spent(self) -> None:
        """End those that have no requests left."""
        with self._lock:
            self._put([running for running in self._all if running.left != 0])

    def clock(self, clock: Callable[[], float]) -> Callable[[], float]:
        """Give the clock of the server: one of the machine, moved by the skew in force."""
        return lambda: clock() + self.skew

    def _numbered(self, disturbance: Disturbance) -> Running:
        self._last += 1
        return Running(self._last, disturbance, self._seed)

    def _put(self, running: list[Running]) -> None:
        self._all = tuple(running)
        self.active = tuple(one for one in running if one.disturbance.kind != "clock-skew")
        self.skew = sum(
            one.disturbance.seconds or 0.0 for one in running if one.disturbance.kind == "clock-skew"
        )
