"""One check in progress: sends requests, judges every answer, notes what was exercised, violated or skipped."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from calloff.verify.judge import RULES, Answer, Document, document_of
from calloff.verify.key_guard import MAX_FAILURES_IN_A_ROW
from calloff.verify.outcome import Exchange, Outcome, Skip, Violation, case_id
from calloff.verify.recipes import RECIPES, Draft, Recipe
from calloff.verify.shapes import JOB_STATES, malformed_id, request_for, target_of, unknown_id
from calloff.verify.target import CannotSupplyError
from calloff.verify.wire import NoAnswerError, Request, Response, TargetLostError, UnframedError, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from calloff.apis import Operation
    from calloff.contract import Catalogue
    from calloff.verify.outcome import Gravity
    from calloff.verify.strict_wire import StrictWire
    from calloff.verify.target import Target

# A server that answers nothing, and still accepts connections, would hold the run for hours.
MAX_SILENCES_IN_A_ROW = 5
# One that goes on refusing for now wants to be left alone, and tells nothing of what it was asked.
MAX_THROTTLED_IN_A_ROW = 5


@dataclass
class Session:
    """What all checks against one target share, in however many threads they run.

    *seed* makes the ids that the suite makes up. *wanted* are the requirements that are noted, all where it is None.
    Setting *stop* ends what is under way at its next request; *spent* says which budget allows no request more,
    *written* has as ``recipe`` how the request that a thread wrote last is authenticated. *unsettled* are the
    operations (keys) of which a cancel is known not to take effect in time.
    """

    target: Target
    catalogue: Catalogue
    outcome: Outcome = field(default_factory=Outcome)
    seed: int = 0
    wanted: frozenset[str] | None = None
    stop: threading.Event = field(default_factory=threading.Event, repr=False)
    spent: str = ""
    written: threading.local = field(default_factory=threading.local, repr=False)
    unsettled: set[str] = field(default_factory=set, repr=False)
    document: Document = field(init=False)
    _silences: int = 0
    _throttled: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.document = document_of(self.target.api.name)

    @property
    def no_reading(self) -> str:
        """Say why no state can be read back, where none can."""
        if self.target.states is None:
            return "no provider states given, so no state can be read back"
        why_not = self.target.status_calls.values()
        if "" in why_not:
            return "the jobs come from a file, whose states are read back in the decision table alone"
        known = " and ".join(("the jobs come from a file", *dict.fromkeys(why_not)))
        return f"{known}, so no state can be read back"

    def probe(self, operation: Operation, layer: str, case: str, outcome: Outcome | None = None) -> Probe:
        """Begin one check; what it finds goes to *outcome*, by default that of the session."""
        return Probe(self, operation, layer, case, self.outcome if outcome is None else outcome)

    def add(self, outcome: Outcome) -> None:
        """Add what a check found to the outcome of the session."""
        with self._lock:
            self.outcome.add(outcome)

    def default_recipe(self, *, like: str = "") -> Recipe:
        """Return the first way to authenticate that the target's credentials allow."""
        reasons = []
        for recipe in RECIPES[self.target.api.name]:
            if recipe.accepted and recipe.credentials == (like or recipe.credentials):
                try:
                    self.target.credentials(recipe.credentials)
                except CannotSupplyError as error:
                    reasons.append(str(error))
                else:
                    return recipe
        msg = f"no credential that should be accepted: {'; '.join(dict.fromkeys(reasons))}"
        raise CannotSupplyError(msg)

    def pause(self, seconds: float) -> None:
        """Let so many seconds pass, or fewer where the run ends."""
        self.stop.wait(seconds)

    def keeps_open(self, wire: StrictWire) -> bool:
        """Tell whether the server kept the connection of *wire* open after its last answer."""
        return wire.is_open

    def send(self, request: Request, wire: Wire | None = None) -> Response:
        """Send *request* and return the answer.

        Raises NoAnswerError where the target is there and gives none, TargetLostError where it is gone, or was
        silent or throttling too often in a row.
        """
        if self.stop.is_set():
            raise KeyboardInterrupt
        try:
            response = self.target.pace.send(wire or self.target.wire, request)
        except NoAnswerError as error:
            # A server that is gone makes the next connection fail; then the run ends instead.
            self.target.new_wire().send_nothing()
            with self._lock:
                # One that closes the connection instead holds nobody up.
                self._silences += isinstance(error.__cause__, TimeoutError)
            if self._silences >= MAX_SILENCES_IN_A_ROW:
                msg = f"{self._silences} requests in a row were not answered in time, the last: {error}"
                raise TargetLostError(msg) from error
            raise
        with self._lock:
            self._silences = 0
            self._throttled = self._throttled + 1 if response.status == 429 else 0
        if self._throttled >= MAX_THROTTLED_IN_A_ROW:
            msg = f"{self._throttled} requests in a row were answered 429 to the end; a lower --rate may help"
            raise TargetLostError(msg)
        return response


@dataclass
class Probe:
    """One check in progress, of one operation.

    *random* makes the ids that are made up for it, the same ones whatever else runs. *status* is that of the answer
    that the check is about.
    """

    session: Session
    operation: Operation
    layer: str
    case: str
    outcome: Outcome
    random: Random = field(init=False, repr=False)
    status: int | None = None
    _of_good_requests: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.random = Random(f"{self.session.seed} {self.id}")  # noqa: S311 - must repeat itself
        # How many good requests the key needs depends on what ran before.
        self._of_good_requests = Random(f"{self.session.seed} good {self.id}")  # noqa: S311

    @property
    def id(self) -> str:
        """Return the id of the case, which its requests carry."""
        return case_id(self.operation.key, self.layer, self.case)

    @property
    def target(self) -> Target:
        """Return the server under test."""
        return self.session.target

    def named(self, case: str) -> Probe:
        """Return a probe of another case of the same check."""
        return replace(self, case=case)

    def hold(self, requirement: str) -> None:
        """Note that *requirement* was exercised; it is held unless a violation is noted too."""
        if self.notes(requirement):
            self.outcome.exercised[requirement, self.operation.key] += 1

    def violate(
        self,
        requirement: str,
        expected: str,
        received: str,
        exchange: Exchange | None = None,
        gravity: Gravity | None = None,
    ) -> None:
        """Note that *requirement* was broken; *gravity* says how, where the requirement alone does not."""
        if requirement == "cancel-takes-effect":
            self.session.unsettled.add(self.operation.key)
        self.hold(requirement)
        if self.notes(requirement):
            kept = exchange and exchange.shortened()
            self.outcome.violations.append(
                Violation(
                    requirement, self.operation.key, self.layer, self.case, expected, received, kept, gravity
                )
            )

    def skip(self, requirement: str, reason: str) -> None:
        """Note that *requirement* could not be exercised."""
        if self.notes(requirement):
            self.outcome.skips.append(Skip(requirement, self.operation.key, self.layer, self.case, reason))

    def observe(self, point: str, choice: str) -> None:
        """Record the choice that the target made at a silent point."""
        if not self.session.catalogue.silent_points[point].applies_to(self.operation.key):
            return
        self.outcome.observed.setdefault(point, {}).setdefault(self.operation.key, choice)

    def settled_state(self, job_id: str) -> str:
        """Read the state of a job until it is cancelled or the settling time has passed; return the last one.

        Waiting once for a server that forgets is enough: where a cancel is known to have had no effect in time, the
        state is read once.
        """
        operation, target = self.operation, self.target
        within = 0 if operation.key in self.session.unsettled else target.settle
        return target.settled_state(operation, job_id, JOB_STATES[operation.key].cancelled, within)

    def reads(self, requirement: str) -> bool:
        """Tell whether states can be read back, which *requirement* needs; note a skip where they cannot."""
        if not self.target.reads_state:
            self.skip(requirement, self.session.no_reading)
        return self.target.reads_state

    def unknown_id(self) -> str:
        """Make an id up that has the right form and was never given out."""
        return unknown_id(self.operation, self.random)

    def malformed_id(self, malformation: str) -> str:
        """Make an id up that is malformed in one way."""
        return malformed_id(self.operation, malformation, self.random)

    def own_parameters(self, job_id: str) -> dict[str, str]:
        """Return the path parameters of *job_id* in the target's own project or bucket."""
        parameters = {self.operation.job_parameter: job_id}
        if "project_id" in self.operation.patterns:
            if not self.target.keys.project_id:
                msg = "no project id given, so no path can be written without a job from the provider states"
                raise CannotSupplyError(msg)
            parameters["project_id"] = self.target.keys.project_id
        return parameters

    def request(self, parameters: Mapping[str, str], host: str | None = None) -> Request:
        """Write the documented request, without a credential."""
        return request_for(
            self.operation,
            parameters,
            host=host or self.target.authority,
            case=self.id,
            prefix=self.target.address.prefix,
        )

    def authenticate(
        self, request: Request, recipe: Recipe, other: Mapping[str, str] | None = None
    ) -> Request:
        """Apply *recipe*, for a request that is sent by other means than *call*.

        *other* are the path parameters of another job, for recipes that replay a signature. Raises ValueError where
        the recipe counts as a failure: only *call* keeps the key from being locked.
        """
        if recipe.counts_as_failure:
            msg = f"expected a recipe that no gateway counts as a failure, got {recipe.name!r}; send it with call()"
            raise ValueError(msg)
        return self._build(request, recipe, self._other_target(other))

    def call(
        self,
        request: Request,
        recipe: Recipe,
        other: Mapping[str, str] | None = None,
        *,
        ask: Callable[[Request], Answer] | None = None,
    ) -> Answer:
        """Apply *recipe*, send the request and return the answer, with no key ever near to being locked.

        *other* is as for *authenticate*; *ask* sends and judges, by default *send*. Raises what that raises, and
        CannotSupplyError where a failure more could lock the key.
        """
        sending = ask or self.send
        other_target = self._other_target(other)
        if not recipe.counts_as_failure:
            return self._call_good(request, recipe, other_target, sending)
        guard, kind = self.target.guard, recipe.credentials
        while True:
            key_id = self.target.credentials(kind).key_id
            with guard.turn(key_id):
                if self.target.credentials(kind).key_id != key_id:
                    continue
                if guard.row(key_id) < MAX_FAILURES_IN_A_ROW:
                    built = self._build(request, recipe, other_target)
                    if not _names(built, key_id):
                        return sending(built)
                    with guard.failing(key_id):
                        return sending(built)
                self._make_room(kind, key_id)

    def send(self, request: Request, wire: Wire | None = None) -> Answer:
        """Send *request*, judge the answer by every rule that binds the operation, and return it."""
        answer = self.ask(request, wire)
        self.judge(answer)
        return answer

    def ask(self, request: Request, wire: Wire | None = None) -> Answer:
        """Send *request* and return the answer as it is; none, or no whole one, is noted as a violation, and raised."""
        self.outcome.requests += 1
        try:
            response = self.session.send(request, wire)
        except UnframedError as error:
            part = error.response
            # A 200 that is cut short shows that the server takes the request all the same.
            self.outcome.accepted += part is not None and part.status == 200
            expected = "an answer that begins and ends as it says"
            self.violate("answer-is-framed", expected, str(error), Exchange(request, part))
            raise
        except NoAnswerError as error:
            self.violate("no-server-fault", "an answer", str(error), Exchange(request, None))
            raise
        answer = Answer(self.session.document, self.operation, request, response)
        self.outcome.accepted += answer.accepted
        return answer

    def judge(self, answer: Answer) -> None:
        """Hold *answer* against the rules that bind the operation."""
        for rule in RULES:
            if not (self.notes(rule.requirement) and rule.concerns(answer)):
                continue
            self.outcome.exercised[rule.requirement, self.operation.key] += 1
            if (broken := rule.broken(answer)) is not None:
                self.violate(rule.requirement, *broken, Exchange(answer.request, answer.response))

    def notes(self, requirement: str) -> bool:
        """Tell whether *requirement* binds the operation and is wanted."""
        wanted = self.session.wanted
        bound = self.session.catalogue.requirements[requirement].applies_to(self.operation.key)
        return bound and (wanted is None or requirement in wanted)

    def _other_target(self, other: Mapping[str, str] | None) -> str:
        parameters = other or self.own_parameters(self.unknown_id())
        return target_of(self.operation, parameters, self.target.address.prefix)

    def _build(self, request: Request, recipe: Recipe, other_target: str) -> Request:
        self.session.written.recipe = recipe
        draft = Draft(request, self.target.credentials(recipe.credentials), self.target.now(), other_target)
        try:
            return recipe.build(draft)
        except ValueError as error:
            msg = f"no signature can be made of such a request: {error}"
            raise CannotSupplyError(msg) from error

    def _call_good(
        self, request: Request, recipe: Recipe, other_target: str, sending: Callable[[Request], Answer]
    ) -> Answer:
        guard, kind = self.target.guard, recipe.credentials
        while True:
            key_id = self.target.credentials(kind).key_id
            built = self._build(request, recipe, other_target)
            if not _names(built, key_id):
                return sending(built)
            with guard.good(key_id):
                if guard.row(key_id) < MAX_FAILURES_IN_A_ROW:
                    return self._send_good(built, recipe, key_id, sending)
                if self._good_recipe(kind) is not None:
                    self._clear_row(kind, key_id)
                    built = self._build(request, recipe, other_target)
                    return self._send_good(built, recipe, key_id, sending)
            # Another thread may have taken another key meanwhile.
            if self.target.credentials(kind).key_id == key_id:
                self._make_room(kind, key_id)

    def _send_good(
        self, built: Request, recipe: Recipe, key_id: str, sending: Callable[[Request], Answer]
    ) -> Answer:
        mark = self.target.guard.mark(key_id)
        answer = sending(built)
        # A right signature over what another owner holds counts neither way, one that is no good is a failure itself.
        if answer.response.status == 401:
            self.target.guard.refuse(key_id)
            if recipe.accepted and self.target.guard.good_are_refused(key_id):
                # The last one under this key: that none was accepted shows here or nowhere.
                expected = f"a right credential accepted, at least once in {MAX_FAILURES_IN_A_ROW} times"
                self.violate(recipe.requirement, expected, answer.summary, answer.exchange, "acceptance")
        elif recipe.accepted or answer.response.status == 200:
            self.target.guard.clear(key_id, mark)
        return answer

    def _make_room(self, kind: str, key_id: str) -> None:
        """Let a good request under *key_id* come between two failures, or take another key."""
        if self._good_recipe(kind) is None:
            self.target.renew(kind)
            if self.target.credentials(kind).key_id == key_id:
                msg = f"the provider states give the same {kind} key again, which one failure more could lock"
                raise CannotSupplyError(msg)
            return
        with self.target.guard.good(key_id):
            self._clear_row(kind, key_id)

    def _good_recipe(self, kind: str) -> Recipe | None:
        """Return the first way to authenticate rightly by *kind*, of which there may be none."""
        recipes = RECIPES[self.target.api.name]
        return next((recipe for recipe in recipes if recipe.accepted and recipe.credentials == kind), None)

    def _clear_row(self, kind: str, key_id: str) -> None:
        """End a full row of failures under *key_id* by a good request; raise CannotSupplyError where it goes on."""
        guard, good = self.target.guard, self._good_recipe(kind)
        told = "was refused before"
        if (
            good is not None
            and guard.row(key_id) == MAX_FAILURES_IN_A_ROW
            and not guard.good_are_refused(key_id)
        ):
            request = self.request(self.own_parameters(unknown_id(self.operation, self._of_good_requests)))
            built = self._build(request, good, request.target)
            answer = self._send_good(built, good, key_id, self.ask)
            told = f"was answered {answer.response.status}"
        if guard.row(key_id) >= MAX_FAILURES_IN_A_ROW:
            msg = (
                f"a right request under the {kind} key {told}, so no further one is sent under it: a gateway locks a "
                "key after failures in a row"
            )
            raise CannotSupplyError(msg)


def _names(request: Request, key_id: str) -> bool:
    """Tell whether *request* is authenticated by *key_id*, so that a gateway counts it."""
    return bool(key_id) and key_id in (request.header("Authorization") or request.target)
