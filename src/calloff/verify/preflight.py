"""Look at a target before the checks: is it there, does it take the credentials, which jobs does it supply.

Nothing is sent but cancels of made-up ids, once without a credential and once per way to authenticate, as the
decision table sends them too; and where jobs are given that no provider states follow, the read-only status call
of one of them for each operation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from calloff.contract import load_catalogue
from calloff.verify.jobs_file import JobsFile
from calloff.verify.judge import Answer
from calloff.verify.key_guard import MAX_FAILURES_IN_A_ROW
from calloff.verify.pace import BudgetSpentError, http_date
from calloff.verify.recipes import RECIPES
from calloff.verify.session import Session
from calloff.verify.status_call import asked_state, known_states, status_request
from calloff.verify.target import CannotSupplyError, TargetError
from calloff.verify.wire import NoAnswerError, Request, TargetLostError, UnframedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff.contract import Catalogue
    from calloff.verify.recipes import Recipe
    from calloff.verify.session import Probe
    from calloff.verify.target import Job, Target
    from calloff.verify.wire import Response

# Clocks that differ by less are as good as equal; the window is 15 minutes, the Date header in whole seconds.
MAX_SKEW = 2.0
# Of right requests under one key; one is left for the run, where it shows as what it violates.
MAX_REFUSALS = MAX_FAILURES_IN_A_ROW - 1
_BARE = "no credential"
# How a Host of Tencent's begins: bucket and APPID.
_BUCKET = re.compile(r"[a-z0-9-]+-[0-9]+\.")
# Codes of a 403 that need not be about the credential: CI's of a job that may not be cancelled, or is not there
# (silent point ci-unknown-job), and those of DLI itself, behind the gateway that checks who asks.
_ALSO_OF_JOBS = re.compile(r"AccessDenied|DLI\..*")

Verdict = Literal["accepted", "refused", "unclear", "not tried"]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to authenticate: which kind of credentials it takes, and what came of it."""

    name: str
    kind: str
    verdict: Verdict
    detail: str


@dataclass
class Examination:
    """What is known of a target; *problem* is a sentence where it cannot be verified, else empty.

    *formed* tells whether an answer looked as the vendor's do, or was cut short, so that nobody knows; *heard* says
    what came last.
    """

    target: Target
    reachable: bool = False
    ways: list[Way] = field(default_factory=list)
    states: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    no_states: str = ""
    clock: str = ""
    problem: str = ""
    formed: bool = False
    heard: str = ""

    @property
    def accepted(self) -> tuple[str, ...]:
        """Return the ways to authenticate that the target accepted."""
        return tuple(way.name for way in self.ways if way.verdict == "accepted")

    def lines(self) -> list[str]:
        """Return what was found for people to read, without any secret."""
        target = self.target
        lines = [f"{target.api.name} at {target.base_url}, Host {target.authority}"]
        lines.append(f"  reachable: {'yes' if self.reachable else 'no'}")
        if self.clock:
            lines.append(f"  clock: {self.clock}")
        lines += [f"  credential, {way.name}: {way.verdict}, {way.detail}" for way in self.ways]
        if not self.no_states:
            file = target.states if isinstance(target.states, JobsFile) else None
            for name in target.api.operations:
                own = file.states(name, "self") if file else self.states.get(name, ())
                lines.append(f"  jobs, {name}: {', '.join(own) or 'none'}")
                if file:
                    others = ", ".join(file.states(name, "other")) or "none"
                    lines.append(f"  jobs of another owner, {name}: {others}")
        lines += [
            f"  states, {name}: {f'not read back, {why}' if why else 'read back by the status call'}"
            for name, why in target.status_calls.items()
        ]
        if self.no_states:
            lines.append(f"  jobs: none, {self.no_states}")
        if self.problem:
            lines.append(f"  problem: {self.problem}")
        return lines


def examine(target: Target, catalogue: Catalogue | None = None, seed: int = 0) -> Examination:
    """Return what is known of *target*, whose clock is followed from now on where it differs from ours.

    *seed* makes the ids up. Raises nothing for what a server can do wrong: that is told as the problem.
    """
    found = Examination(target)
    session = Session(target, catalogue or load_catalogue(), seed=seed)
    unusable = _look_at_states(found)
    try:
        hostless = "" if unusable else _learn_host(found)
        bare = _look(found, session)
        if unusable:
            found.problem = f"the provider states cannot be used: {unusable}"
        else:
            _try_ways(found, session, bare)
            found.problem = hostless or found.problem
            if not found.problem:
                _try_status_calls(found, session)
    except TargetLostError as error:
        what = "the target was lost" if found.reachable else "the server cannot be reached"
        found.problem = f"{what}: {error}"
    except NoAnswerError as error:
        hint = "; is it https?" if _plain(target) else ""
        found.problem = f"the server accepts connections and gives no HTTP answer: {error}{hint}"
    except TargetError as error:
        found.problem = f"the provider states cannot be used: {error}"
    except (CannotSupplyError, BudgetSpentError) as error:
        found.problem = str(error)
    return found


def requests(
    target: Target, catalogue: Catalogue | None = None, seed: int = 0
) -> Iterator[tuple[str, Request]]:
    """Return what ``examine`` sends at most, each with the id of its case, without sending anything to the API."""
    found = Examination(target)
    _look_at_states(found)
    session = Session(target, catalogue or load_catalogue(), seed=seed)
    bare = _probe(found, session, _BARE)
    yield bare.id, _cancel(bare)
    for recipe in RECIPES[target.api.name]:
        if recipe.accepted:
            probe = _probe(found, session, recipe.name)
            with suppress(CannotSupplyError):
                yield probe.id, probe.authenticate(_cancel(probe), recipe)
    for probe in _status_probes(found, session):
        with suppress(CannotSupplyError):
            job = _given_job(found, probe)
            recipe = session.default_recipe()
            yield probe.id, probe.authenticate(status_request(probe, job), recipe, job.parameters)


def _probe(found: Examination, session: Session, case: str) -> Probe:
    """Begin a case of the first operation that jobs are supplied for, which the server thus has."""
    operations = found.target.api.operations
    name = next((name for name in operations if found.states.get(name)), next(iter(operations)))
    return session.probe(operations[name], "preflight", case)


def _cancel(probe: Probe) -> Request:
    """Write the cancel of a made-up id, without a credential."""
    return probe.request(probe.own_parameters(probe.unknown_id()))


def _look_at_states(found: Examination) -> str:
    """Note which states are served; return why the provider states cannot be used, empty where they can."""
    source = found.target.states
    if source is None:
        found.no_states = "neither --provider-states nor --jobs is given"
        return ""
    try:
        found.states = source.abilities(found.target.api.name)["operations"]
    except CannotSupplyError as error:
        found.no_states = str(error)
    except (TargetError, TargetLostError) as error:
        found.no_states = "the provider states cannot be used"
        return str(error)
    else:
        if not any(found.states.values()):
            found.no_states = "no state of any operation is listed"
    return ""


def _learn_host(found: Examination) -> str:
    """Take the Host that our own jobs are reached under, where none is given; return why none is known, else empty."""
    target = found.target
    if target.host is not None or target.api.name != "tencent-ci":
        return ""
    for name, states in found.states.items():
        for state in states:
            with suppress(CannotSupplyError):
                target.host = target.new_job(target.api.operations[name], state, spend=False).host
                if target.host is not None or target.reads_state:
                    return ""
    if _BUCKET.match(target.authority):
        return ""
    return f"the Host {target.authority} of --base-url names no bucket; name yours with --host"


def _plain(target: Target) -> bool:
    return target.address.scheme == "http"


def _send(found: Examination, session: Session, probe: Probe, request: Request) -> Answer:
    """Send *request* and return the answer, or what came of it where it was cut short."""
    try:
        response = session.send(request)
    except UnframedError as error:
        if error.response is None:
            raise
        response = error.response
        found.formed = True
    found.reachable = True
    answer = Answer(session.document, probe.operation, request, response)
    found.formed = found.formed or _has_the_form(answer)
    # The rest of it is the server's own text, which may repeat a secret.
    known = re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,40}", response.media_type, re.ASCII)
    found.heard = f"{response.status} {response.media_type if known else ''}".rstrip()
    return answer


def _has_the_form(answer: Answer) -> bool:
    """Tell whether anything of *answer* looks as the vendor's answers do."""
    if answer.is_ci:
        return answer.xml is not None or any(
            map(answer.response.header, ("x-ci-request-id", "x-ci-trace-id"))
        )
    # Who accepts whatever comes is wrong, and to be told so by the suite.
    return bool(answer.error_code) or (
        answer.accepted and (not answer.response.body or isinstance(answer.json, dict))
    )


def _look(found: Examination, session: Session) -> Response | None:
    """Send a request without a credential, set our clock by the answer and return it, None where there is none."""
    probe = _probe(found, session, _BARE)
    before = session.target.clock.now()
    try:
        response = _send(found, session, probe, _cancel(probe)).response
    except NoAnswerError:
        # A server may do so to a stranger; the first right request tells.
        found.clock = "unknown"
        return None
    _set_clock(found, response, before, session.target.clock.now())
    return response


def _set_clock(found: Examination, response: Response, before: float, after: float) -> None:
    """Compare the clocks by an answer to what was sent at *before* and answered by *after* (Unix seconds)."""
    stamp = http_date(response.header("date") or "")
    if stamp is None:
        found.clock = "the server names no Date, so it is taken to be as ours"
        return
    # The header leaves out the fraction of a second: half of one, in the mean.
    skew = stamp + 0.5 - (before + after) / 2
    if abs(skew) <= MAX_SKEW + (after - before) / 2:
        found.target.clock_skew = 0.0
        found.clock = "as ours"
        return
    found.target.clock_skew = skew
    way = "ahead of" if skew > 0 else "behind"
    found.clock = f"{abs(skew):.0f} s {way} ours; requests are dated by the server's"


def _try_ways(found: Examination, session: Session, bare: Response | None) -> None:
    target = found.target
    refusals: Counter[str] = Counter()
    for recipe in RECIPES[target.api.name]:
        if not recipe.accepted:
            continue
        kind = recipe.credentials
        try:
            keys = target.credentials(kind)
        except CannotSupplyError as error:
            found.ways.append(Way(recipe.name, kind, "not tried", str(error)))
            continue
        # Which key a token stands for is not known, and a token locks none.
        key_id = keys.key_id if kind != "token" else ""
        if refusals[key_id] >= MAX_REFUSALS:
            why = f"{MAX_REFUSALS} others under the same key were not accepted"
            found.ways.append(Way(recipe.name, kind, "not tried", why))
            continue
        mark = target.guard.mark(key_id)
        verdict, detail = _try(found, session, recipe, bare)
        found.ways.append(Way(recipe.name, kind, verdict, detail))
        if verdict == "accepted":
            target.guard.clear(key_id, mark)
        else:
            refusals[key_id] += 1
            target.guard.refuse(key_id)
    tried = [way for way in found.ways if way.verdict != "not tried"]
    if not tried:
        reasons = dict.fromkeys(way.detail for way in found.ways)
        found.problem = f"no credential that should be accepted: {'; '.join(reasons)}"
    elif all(way.verdict == "refused" for way in tried):
        ways = "; ".join(f"{way.name}: {way.detail}" for way in tried)
        found.problem = (
            f"the server refused the credentials in every way ({ways}); check them, and the project"
        )
    elif all(way.verdict == "unclear" for way in tried) and not (found.formed or _fails(found)):
        found.problem = _no_such_server(found)


def _fails(found: Examination) -> bool:
    """Tell whether the server that supplies the jobs answers nothing but 500, which is wrong in whatever form."""
    return found.target.reads_state and any(found.states.values()) and found.heard.startswith("500")


def _no_such_server(found: Examination) -> str:
    """Say that no answer has the vendor's form."""
    target = found.target
    if found.heard.startswith("429"):
        return "the server throttles every request (429); try later, or with a lower --rate"
    wanted = "XML with root Error" if target.api.name == "tencent-ci" else "JSON with error_code"
    return (
        f"no answer looks like one of {target.api.name}: expected {wanted}, got {found.heard}; "
        f"is {target.base_url} the right address?{' Or is it https?' if _plain(target) else ''}"
    )


def _status_probes(found: Examination, session: Session) -> list[Probe]:
    """Begin a case for each operation that jobs are given for, where no provider states tell what became of them."""
    target = found.target
    if target.states is None or target.reads_state:
        return []
    return [session.probe(target.api.operations[name], "preflight", "status call") for name in found.states]


def _given_job(found: Examination, probe: Probe) -> Job:
    """Return a job of our own that may be asked for; it is not spent. Raises CannotSupplyError without any."""
    for state in found.states[probe.operation.name]:
        with suppress(CannotSupplyError):
            return found.target.new_job(probe.operation, state, spend=False)
    raise CannotSupplyError("no job of our own is given")


def _try_status_calls(found: Examination, session: Session) -> None:
    """Ask for the state of one given job for each operation, and note whether it was told as documented."""
    target = found.target
    target.status_calls.clear()
    for probe in _status_probes(found, session):
        call = probe.operation.status.name
        why_not = ""
        try:
            job = _given_job(found, probe)
            recipe = session.default_recipe()
            if recipe.name not in found.accepted:
                # Where a right credential may count as a failure, the run needs what is left under the key.
                why_not = f"{call} was not tried, for it is not sure that the {recipe.name} is accepted"
            elif asked_state(probe, job) not in known_states(probe.operation).values():
                why_not = f"{call} tells a state that is not documented"
        except CannotSupplyError as error:
            why_not = str(error)
        target.status_calls[probe.operation.name] = why_not


def _try(found: Examination, session: Session, recipe: Recipe, bare: Response | None) -> tuple[Verdict, str]:
    """Send one cancel of a made-up id and tell what its answer says about the credential.

    Raises NoAnswerError where nothing was ever answered.
    """
    probe = _probe(found, session, recipe.name)
    request = probe.authenticate(_cancel(probe), recipe)
    try:
        answer = _send(found, session, probe, request)
    except NoAnswerError:
        if not found.reachable:
            raise
        return "unclear", "no answer"
    # The text is the server's: no more of it than what an error code looks like.
    code = answer.error_code if re.fullmatch(r"[A-Za-z][\w.]{0,63}", answer.error_code, re.ASCII) else ""
    status = answer.response.status
    detail = f"{status} {code}".rstrip()
    if status == 401 or (status == 403 and not _ALSO_OF_JOBS.fullmatch(code)):
        return "refused", detail
    if status in {403, 429} or status >= 500 or 300 <= status < 400:
        return "unclear", f"{detail} may be about something else"
    if bare is not None and status == bare.status:
        return "unclear", f"{detail}, as without any credential"
    return "accepted", f"{detail} for a made-up job"
