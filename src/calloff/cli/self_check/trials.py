"""What a self-check tries: one wrong server to be found, or one right server that must not be blamed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from calloff.apis import OPERATIONS
from calloff.cli.self_check.hurry import Desk, hurried_clock
from calloff.contract import load_catalogue
from calloff.mock.dialects import Dialect
from calloff.mock.disturbances import parse_disturbance
from calloff.mock.server import run_embedded
from calloff.verify.clock import Clock
from calloff.verify.engine import LAYERS, Run, checks, run_check
from calloff.verify.provider_states import ProviderStates, announced_targets
from calloff.verify.session import Session

if TYPE_CHECKING:
    from calloff.apis import ApiName, Operation
    from calloff.verify.engine import Budget, Layer

# A column of the kill matrix and the layers it stands for.
COLUMNS: dict[str, tuple[Layer, ...]] = {
    "table": tuple(layer for layer in LAYERS if layer not in {"model", "fuzz"}),
    "model": ("model",),
    "schemathesis": ("fuzz",),
}
# Seconds. The slowest right server of the mock settles within 0.15; every answer of a mutant comes at once or never.
SETTLE = 0.6
TIMEOUT = 3.0
# Right servers, and the provider states of all, always answer: only a machine that has no time for them is late.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Suspect:
    """A wrong server: the mutant, what it breaks and where, and the columns that look for it, until one finds it."""

    mutant: str
    requirement: str
    operations: tuple[str, ...]
    columns: tuple[str, ...] = tuple(COLUMNS)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one suspect on one operation.

    *found* has, for each column that looked, the case that found it, empty where none did; *blamed* the other
    requirements that were found violated; *fault* what ended the search before its end.
    """

    suspect: Suspect
    operation: str
    found: dict[str, str]
    blamed: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Variation:
    """A right server: its choices where the vendor is silent, and what disturbs it.

    *kind* is the table that it stands in, *records* the choices that the suite must have seen afterwards. Where it is
    *hurried*, no wait takes time and the provider states are asked without a connection.
    """

    kind: str
    name: str
    api: ApiName
    choices: dict[str, str] = field(default_factory=dict)
    disturbances: tuple[str, ...] = ()
    records: dict[str, str] = field(default_factory=dict)
    operations: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = LAYERS
    budget: Budget = "quick"
    seed: int = 0
    workers: int = 1
    hurried: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one variation; *blamed* and *unrecorded* are empty where all is well, and so is *fault*."""

    variation: Variation
    blamed: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    fault: str = ""
    requests: int = 0
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Tell whether the server was not blamed, and seen for what it is."""
        return not (self.blamed or self.unrecorded or self.fault)


Trial = Suspect | Variation
Result = Finding | Verdict


def run_trial(trial: Trial) -> list[Result]:
    """Start the server of *trial* on loopback and let the suite judge it; what goes wrong is part of the result."""
    try:
        return [*_search(trial)] if isinstance(trial, Suspect) else [_judge(trial)]
    except Exception as error:  # noqa: BLE001 - one trial in thousands must not end them all
        fault = _fault(error)
    if isinstance(trial, Suspect):
        return [Finding(trial, key, {}, fault=fault) for key in trial.operations]
    return [Verdict(trial, fault=fault)]


def _fault(error: Exception) -> str:
    return f"it could not be tried: {type(error).__name__}: {error}"


def _search(suspect: Suspect) -> list[Finding]:
    operations = [OPERATIONS[key] for key in suspect.operations]
    apis = dict.fromkeys(operation.api for operation in operations)
    with run_embedded(apis, mutant=suspect.mutant) as server:
        states = ProviderStates(server.announcement["provider_states_url"], PATIENCE)
        targets = [
            replace(target, states=states)
            for target in announced_targets(server.announcement, settle=SETTLE, timeout=TIMEOUT)
        ]
        # One session for each key: what was sent under it is counted there.
        sessions = {target.api.name: Session(target, load_catalogue()) for target in targets}
        try:
            return [_find(suspect, operation, sessions[operation.api]) for operation in operations]
        finally:
            for target in targets:
                target.close()


def _find(suspect: Suspect, operation: Operation, session: Session) -> Finding:
    """Run the checks of one column after the other, those first that name the requirement, until it is violated."""
    found: dict[str, str] = {}
    fault = ""
    try:
        for column in suspect.columns:
            found[column] = ""
            planned = checks(operation, COLUMNS[column])
            for check in sorted(planned, key=lambda check: suspect.requirement not in check.requirements):
                run_check(check, session)
                if violations := session.outcome.violated(suspect.requirement, operation.key):
                    found[column] = violations[0].case_id
                    return Finding(suspect, operation.key, found)
    except Exception as error:  # noqa: BLE001 - a server so wrong that the suite stops is still to be listed
        fault = _fault(error)
    blamed = {v.requirement for v in session.outcome.violations if v.operation == operation.key}
    return Finding(suspect, operation.key, found, tuple(sorted(blamed)), fault)


def _judge(variation: Variation) -> Verdict:
    run = Run(
        load_catalogue(),
        seed=variation.seed,
        layers=variation.layers,
        operations=variation.operations,
        budget=variation.budget,
        workers=variation.workers,
    )
    began = monotonic()
    clock = hurried_clock() if variation.hurried else Clock()
    with run_embedded(
        [variation.api],
        dialect=Dialect(variation.choices),
        seed=variation.seed,
        disturbances=[parse_disturbance(text) for text in variation.disturbances],
        clock=clock.now,
    ) as server:
        targets = announced_targets(server.announcement, timeout=PATIENCE)
        if variation.hurried:
            states = ProviderStates(server.announcement["provider_states_url"], sender=Desk(server.state))
            targets = [replace(target, clock=clock, states=states) for target in targets]
        run.verify(targets)
    if run.interrupted:
        raise KeyboardInterrupt
    outcome = run.outcomes[variation.api]
    blamed = dict.fromkeys(
        f"{v.requirement} by {v.case_id}: expected {v.expected}, received {v.received}"
        for v in outcome.violations
    )
    unrecorded = [
        f"{point}: expected {choice}, recorded {', '.join(sorted(set(seen.values()))) or 'nothing'}"
        for point, choice in variation.records.items()
        if choice not in (seen := outcome.observed.get(point, {})).values()
    ]
    fault = run.stopped or ("" if outcome.accepted else "no cancel was ever accepted")
    return Verdict(variation, tuple(blamed), tuple(unrecorded), fault, outcome.requests, monotonic() - began)
