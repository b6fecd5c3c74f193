"""One check in progress: sends requests, judges every answer, notes what was exercised, violated or skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calloff.verify.judge import RULES, Answer, Document
from calloff.verify.outcome import Exchange, Outcome, Skip, Violation
from calloff.verify.recipes import RECIPES, Draft, Recipe
from calloff.verify.shapes import request_for, target_of, unknown_id
from calloff.verify.target import CannotSupplyError
from calloff.verify.wire import NoAnswerError, Request, Response, TargetLostError, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.apis import Operation
    from calloff.contract import Catalogue
    from calloff.verify.target import Target

# The gateway locks a key after more than 5 failures in a row; staying well below protects a user's key.
MAX_FAILURES_IN_A_ROW = 3
# A server that answers nothing, and still accepts connections, would hold the run for hours.
MAX_SILENCES_IN_A_ROW = 5


@dataclass
class Session:
    """What all checks against one target share."""

    target: Target
    catalogue: Catalogue
    outcome: Outcome = field(default_factory=Outcome)
    document: Document = field(init=False)
    _silences: int = 0

    def __post_init__(self) -> None:
        self.document = Document(self.target.api)

    def probe(self, operation: Operation, layer: str, case: str) -> Probe:
        """Begin one check."""
        return Probe(self, operation, layer, case)

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

    def needs_good_request(self, key_id: str) -> bool:
        """Tell whether a failure more under *key_id* could lock it, unless a good request comes first."""
        return self.target.failures[key_id] >= MAX_FAILURES_IN_A_ROW

    def count(self, key_id: str, *, failing: bool) -> None:
        """Count a request under *key_id*."""
        self.target.failures[key_id] = self.target.failures[key_id] + 1 if failing else 0

    def send(self, request: Request, wire: Wire | None = None) -> Response:
        """Send *request* and return the answer.

        Raises NoAnswerError where the target is there and gives none, TargetLostError where it is gone or was
        silent too often in a row.
        """
        self.outcome.requests += 1
        try:
            response = self.target.pace.send(wire or self.target.wire, request)
        except NoAnswerError as error:
            # A server that is gone makes the next connection fail; then the run ends instead.
            self.target.new_wire().send_nothing()
            # One that closes the connection instead holds nobody up.
            self._silences += isinstance(error.__cause__, TimeoutError)
            if self._silences >= MAX_SILENCES_IN_A_ROW:
                msg = f"{self._silences} requests in a row were not answered in time, the last: {error}"
                raise TargetLostError(msg) from error
            raise
        self._silences = 0
        return response


@dataclass
class Probe:
    """One check in progress, of one operation."""

    session: Session
    operation: Operation
    layer: str
    case: str

    @property
    def target(self) -> Target:
        """Return the server under test."""
        return self.session.target

    def hold(self, requirement: str) -> None:
        """Note that *requirement* was exercised; it is held unless a violation is noted too."""
        if self._binds(requirement):
            self.session.outcome.exercised[requirement, self.operation.key] += 1

    def violate(
        self, requirement: str, expected: str, received: str, exchange: Exchange | None = None
    ) -> None:
        """Note that *requirement* was broken."""
        self.hold(requirement)
        self.session.outcome.violations.append(
            Violation(requirement, self.operation.key, self.layer, self.case, expected, received, exchange)
        )

    def skip(self, requirement: str, reason: str) -> None:
        """Note that *requirement* could not be exercised."""
        if self._binds(requirement):
            self.session.outcome.skips.append(
                Skip(requirement, self.operation.key, self.layer, self.case, reason)
            )

    def observe(self, point: str, choice: str) -> None:
        """Record the choice that the target made at a silent point."""
        if not self.session.catalogue.silent_points[point].applies_to(self.operation.key):
            return
        self.session.outcome.observed.setdefault(point, {}).setdefault(self.operation.key, choice)

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
            case=self.case.replace(" ", "-"),
            prefix=self.target.address.prefix,
        )

    def authenticate(
        self, request: Request, recipe: Recipe, other: Mapping[str, str] | None = None
    ) -> Request:
        """Apply *recipe*; *other* are the path parameters of another job, for recipes that replay a signature."""
        other_target = target_of(
            self.operation,
            other or self.own_parameters(unknown_id(self.operation)),
            self.target.address.prefix,
        )

        def build() -> tuple[Request, str]:
            keys = self.target.credentials(recipe.credentials)
            return recipe.build(Draft(request, keys, self.target.now(), other_target)), keys.key_id

        built, key_id = build()
        if key_id and key_id in (built.header("Authorization") or built.target):
            if recipe.counts_as_failure and self.session.needs_good_request(key_id):
                self._send_good_request(recipe)
                built, key_id = build()
            # A right signature over what another owner holds counts neither way.
            if recipe.counts_as_failure or recipe.accepted:
                self.session.count(key_id, failing=recipe.counts_as_failure)
        return built

    def send(self, request: Request, wire: Wire | None = None) -> Answer:
        """Send *request*, judge the answer by every rule that binds the operation, and return it."""
        answer = self.ask(request, wire)
        self.judge(answer)
        return answer

    def ask(self, request: Request, wire: Wire | None = None) -> Answer:
        """Send *request* and return the answer as it is; none at all is noted as a violation, and raised."""
        try:
            response = self.session.send(request, wire)
        except NoAnswerError as error:
            self.violate("no-server-fault", "an answer", str(error), Exchange(request, None))
            raise
        answer = Answer(self.session.document, self.operation, request, response)
        self.session.outcome.accepted += answer.accepted
        return answer

    def judge(self, answer: Answer) -> None:
        """Hold *answer* against the rules that bind the operation."""
        for rule in RULES:
            if not (self._binds(rule.requirement) and rule.concerns(answer)):
                continue
            self.hold(rule.requirement)
            if (broken := rule.broken(answer)) is not None:
                self.violate(rule.requirement, *broken, Exchange(answer.request, answer.response))

    def _send_good_request(self, recipe: Recipe) -> None:
        good = next(
            (
                good
                for good in RECIPES[self.target.api.name]
                if good.accepted and good.credentials == recipe.credentials
            ),
            None,
        )
        if good is None:
            self.target.renew(recipe.credentials)
            return
        keys = self.target.credentials(good.credentials)
        request = self.request(self.own_parameters(unknown_id(self.operation)))
        self.ask(good.build(Draft(request, keys, self.target.now(), request.target)))
        self.session.count(keys.key_id, failing=False)

    def _binds(self, requirement: str) -> bool:
        return self.session.catalogue.requirements[requirement].applies_to(self.operation.key)
