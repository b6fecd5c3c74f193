"""Walk through an operation at random beside a model, and compare every answer and every state with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, Verbosity, assume, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from calloff.verify.cells import ANY_REFUSAL, auth_statuses
from calloff.verify.escape import Escape
from calloff.verify.outcome import Exchange
from calloff.verify.recipes import RECIPES
from calloff.verify.shapes import FINAL_REQUIREMENT, JOB_STATES
from calloff.verify.target import CannotSupplyError, Job

if TYPE_CHECKING:
    from calloff.verify.outcome import Gravity
    from calloff.verify.recipes import Recipe
    from calloff.verify.session import Probe

REQUIREMENTS = (
    "cancel-accepted",
    "cancel-takes-effect",
    "bystander-untouched",
    "refusal-changes-nothing",
    "unknown-job-refused",
)


class DisagreementError(AssertionError):
    """The server and the model disagree; stops the walk so that it can be shortened."""

    def __init__(
        self, requirement: str, expected: str, received: str, exchange: Exchange, gravity: Gravity | None
    ) -> None:
        super().__init__(f"{requirement}: expected {expected}, got {received}")
        self.requirement = requirement
        self.expected = expected
        self.received = received
        self.exchange = exchange
        self.gravity = gravity


def walk(probe: Probe, *, seed: int, walks: int, steps: int) -> None:
    """Run *walks* walks of at most *steps* steps; note the shortest disagreement found."""
    if not probe.target.reads_state:
        # Every step is compared with the states that the model knows.
        raise CannotSupplyError(probe.session.no_reading)
    states = JOB_STATES[probe.operation.key]
    recipes = _available(probe)
    good = [recipe for recipe in recipes if recipe.accepted]
    bad = [recipe for recipe in recipes if recipe.accepted is False]
    if not good:
        probe.session.default_recipe()
    probe.target.new_job(probe.operation, states.cancellable[0])
    known = [*states.cancellable, *states.final, *states.silent]
    last: list[DisagreementError] = []
    met: set[str] = set()
    broken: set[str] = set()
    escape = Escape()

    class Walk(RuleBasedStateMachine):
        jobs: Bundle[str] = Bundle("jobs")

        def __init__(self) -> None:
            super().__init__()
            self.job: dict[str, Job] = {}
            self.state: dict[str, str] = {}
            self.exchange: Exchange | None = None
            self.acted_on = ("", "")
            self.disagreed = False

        @initialize(target=jobs)
        def begin(self) -> Any:
            # One of each, else most walks would meet but one or two states.
            return multiple(*(self.make(state) for state in known))

        @rule(target=jobs, state=st.sampled_from(known), recipe=st.sampled_from(good))
        def cancel_a_new_one(self, state: str, recipe: Recipe) -> str:
            job_id = self.make(state)
            self.hold_cancel(job_id, recipe)
            return job_id

        def make(self, state: str) -> str:
            with escape.inside():
                job = probe.target.new_job(probe.operation, state)
            self.job[job.job_id], self.state[job.job_id] = job, state
            return job.job_id

        @rule(job_id=jobs, recipe=st.sampled_from(good))
        def cancel(self, job_id: str, recipe: Recipe) -> None:
            self.compare(job_id, "bystander-untouched")
            self.hold_cancel(job_id, recipe)

        def hold_cancel(self, job_id: str, recipe: Recipe) -> None:
            before = self.state[job_id]
            self.acted_on = (job_id, "refusal-changes-nothing")
            answer = self.send(self.job[job_id], recipe)
            met.add("refusal-changes-nothing" if not answer.accepted else "cancel-takes-effect")
            if before in states.cancellable:
                met.add("cancel-accepted")
            if before in states.cancellable and not answer.accepted:
                self.disagree("cancel-accepted", f"an accepted cancel of a job in {before}", answer.summary)
            if before in states.final and answer.accepted:
                self.disagree(
                    FINAL_REQUIREMENT[probe.operation.key], f"a refusal in {before}", answer.summary
                )
            if before == states.cancelled and answer.accepted and not states.second_cancel_is_silent:
                self.disagree("dli-second-cancel-refused", f"a refusal in {before}", answer.summary)
            if answer.accepted and before not in states.final:
                with escape.inside():
                    after = probe.settled_state(job_id)
                if after != states.cancelled:
                    probe.session.unsettled.add(probe.operation.key)
                    self.disagree("cancel-takes-effect", f"state {states.cancelled}", f"state {after}")
                self.state[job_id] = states.cancelled

        @rule(job_id=jobs, recipe=st.sampled_from(bad))
        def cancel_unauthenticated(self, job_id: str, recipe: Recipe) -> None:
            self.compare(job_id, "bystander-untouched")
            self.acted_on = (job_id, recipe.requirement)
            answer = self.send(self.job[job_id], recipe)
            if answer.response.status not in auth_statuses(recipe):
                self.disagree(recipe.requirement, "a refused credential", answer.summary)

        @rule(recipe=st.sampled_from(good))
        def cancel_unknown(self, recipe: Recipe) -> None:
            answer = self.send(Job("", probe.own_parameters(probe.unknown_id())), recipe)
            met.add("unknown-job-refused")
            if answer.accepted or answer.response.status not in {200, *ANY_REFUSAL}:
                self.disagree("unknown-job-refused", "a refusal", answer.summary)

        @invariant()
        def the_job_acted_on_is_as_the_model_says(self) -> None:
            if self.acted_on[0]:
                self.compare(*self.acted_on)

        def teardown(self) -> None:
            # Those that were not acted on; all of them after each step would be most of the requests of a walk.
            for job_id in () if self.disagreed or escape.left else self.state:
                self.compare(job_id, "bystander-untouched")

        def compare(self, job_id: str, requirement: str) -> None:
            expected = self.state[job_id]
            if requirement in REQUIREMENTS:
                met.add(requirement)
            with escape.inside():
                after = probe.target.state(probe.operation, job_id)
            if (after == states.cancelled) != (expected == states.cancelled):
                wanted = f"a job in {expected} as it was"
                self.disagree(requirement, wanted, f"job {job_id} in {after}", "state")

        def send(self, job: Job, recipe: Recipe) -> Any:
            with escape.inside():
                answer = probe.call(probe.request(job.parameters, job.host), recipe)
            self.exchange = answer.exchange
            return answer

        def disagree(
            self, requirement: str, expected: str, received: str, gravity: Gravity | None = None
        ) -> None:
            self.disagreed = True
            assume(self.exchange is not None)
            assert self.exchange is not None  # noqa: S101 - assume() above ended the walk otherwise
            error = DisagreementError(requirement, expected, received, self.exchange, gravity)
            last[:] = [error]
            broken.add(requirement)
            raise error

    options = settings(
        max_examples=walks,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    try:
        with escape.around():
            run_state_machine_as_test(with_seed(seed)(Walk), settings=options)
    except* (DisagreementError, Flaky):
        pass
    # Of several disagreements only the shortest is told; what the others were about is not held either.
    for requirement in sorted(met - broken):
        probe.hold(requirement)
    for error in last:
        probe.violate(error.requirement, error.expected, error.received, error.exchange, error.gravity)


def _available(probe: Probe) -> list[Recipe]:
    found = []
    for recipe in RECIPES[probe.target.api.name]:
        try:
            probe.target.credentials(recipe.credentials)
        except CannotSupplyError:
            continue
        found.append(recipe)
    return found
