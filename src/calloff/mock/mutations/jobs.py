"""Ways to bend how a job is found and cancelled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from calloff.mock.jobs import Job
from calloff.mock.pipeline import Case, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from calloff.mock.jobs import Moment
    from calloff.mock.mutations.place import Bend, Place
    from calloff.mock.pipeline import Exchange, Steps


def found(search: Callable[[Place, Exchange], Job | None]) -> Bend:
    """Look once more for a job that was not found, whatever the form of the id."""

    def bend(steps: Steps, place: Place) -> Steps:
        def check_id(exchange: Exchange) -> None:
            if search(place, exchange) is None:
                steps.check_id(exchange)

        def find(exchange: Exchange) -> Job:
            try:
                return steps.find(exchange)
            except Refusal:
                job = search(place, exchange)
                if job is None:
                    raise
                return job

        return replace(steps, check_id=check_id, find=find)

    return bend


def stray_job(place: Place, exchange: Exchange) -> Job:
    """Make a job that no store knows, in a state that can be cancelled."""
    lifecycle = place.state.kinds[place.operation.key].lifecycle
    first = next(iter(lifecycle.cancel_moves))
    return Job(exchange.job_id, place.operation.key, exchange.owner, lifecycle, first)


def malformed_accepted(steps: Steps, place: Place) -> Steps:
    """Take an id of any form, and a malformed one for a job."""

    def find(exchange: Exchange) -> Job:
        try:
            steps.check_id(exchange)
        except Refusal:
            return stray_job(place, exchange)
        return steps.find(exchange)

    return replace(steps, check_id=lambda _exchange: None, find=find)


def unknown_accepted(steps: Steps, place: Place) -> Steps:
    """Take an id that names no job for a job."""

    def find(exchange: Exchange) -> Job:
        try:
            return steps.find(exchange)
        except Refusal:
            return stray_job(place, exchange)

    return replace(steps, find=find)


def by_beginning(place: Place, exchange: Exchange) -> Job | None:
    """Find the job whose id begins as the given one."""
    given = exchange.job_id
    return _first(job for job in same_owner(place, exchange) if len(given) > 7 and job.id.startswith(given))


def by_end(place: Place, exchange: Exchange) -> Job | None:
    """Find the job whose id ends as the given one."""
    given = exchange.job_id
    return _first(job for job in same_owner(place, exchange) if len(given) > 7 and job.id.endswith(given))


def by_more(place: Place, exchange: Exchange) -> Job | None:
    """Find the job whose id the given one begins with."""
    return _first(job for job in same_owner(place, exchange) if exchange.job_id.startswith(job.id))


def by_any_owner(place: Place, exchange: Exchange) -> Job | None:
    """Find the job of anybody."""
    jobs = place.state.jobs.all(place.operation.key)
    return _first(job for job in jobs if job.id == exchange.job_id)


def _first(jobs: Iterable[Job]) -> Job | None:
    return next(iter(jobs), None)


def same_owner(place: Place, exchange: Exchange) -> list[Job]:
    """List the jobs of the operation and the owner that a request names."""
    return [job for job in place.state.jobs.all(place.operation.key) if job.owner == exchange.owner]


def cancelling(cancel: Callable[[Steps, Place, Exchange], None]) -> Bend:
    """Exchange the last step, the cancel itself."""

    def bend(steps: Steps, place: Place) -> Steps:
        return replace(steps, cancel=lambda exchange: cancel(steps, place, exchange))

    return bend


def opened(*states: str) -> Bend:
    """Cancel jobs also in further states."""

    def cancel(steps: Steps, _place: Place, exchange: Exchange) -> None:
        job = exchange.job
        if job.state(exchange.now) in states:
            job.put(next(iter(job.lifecycle.cancel_moves.values())))
        else:
            steps.cancel(exchange)

    return cancelling(cancel)


def final_accepted(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Answer as if a job that has ended were cancelled, and leave it."""
    if exchange.job.state(exchange.now) not in _ENDED:
        steps.cancel(exchange)


_ENDED = {"FINISHED", "FAILED", "success", "dead"}


def second_cancel_accepted(steps: Steps, _place: Place) -> Steps:
    """Remember what was cancelled, and accept that again."""
    cancelled: set[str] = set()

    def cancel(exchange: Exchange) -> None:
        if exchange.job.id not in cancelled:
            steps.cancel(exchange)
            cancelled.add(exchange.job.id)

    return replace(steps, cancel=cancel)


def forget_cancel(_steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Go through the motions on a copy of the job."""
    job = exchange.job
    Job(job.id, job.operation, job.owner, job.lifecycle, job.state(exchange.now)).cancel(exchange.now)


def wrong_end(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Cancel, and end in the state of a job that went well."""
    steps.cancel(exchange)
    exchange.job.put(exchange.job.lifecycle.well_ended)


def refusing_states(*states: str) -> Callable[[Steps, Place, Exchange], None]:
    """Refuse jobs in some states."""

    def cancel(steps: Steps, _place: Place, exchange: Exchange) -> None:
        if exchange.job.state(exchange.now) in states:
            raise Refusal(Case.NOT_CANCELLABLE)
        steps.cancel(exchange)

    return cancel


def cancel_all(steps: Steps, place: Place, exchange: Exchange) -> None:
    """Cancel every job of the owner."""
    steps.cancel(exchange)
    for job in same_owner(place, exchange):
        _cancel_quietly(job, exchange.now)


def cancel_running_too(steps: Steps, place: Place, exchange: Exchange) -> None:
    """Cancel also every job of the owner that runs."""
    steps.cancel(exchange)
    for job in same_owner(place, exchange):
        if job.state(exchange.now) == "Running":
            job.put(next(iter(job.lifecycle.cancel_moves.values())))


def cancel_latest_too(steps: Steps, place: Place, exchange: Exchange) -> None:
    """Cancel also the newest job of anybody."""
    steps.cancel(exchange)
    others = [job for job in place.state.jobs.all(place.operation.key) if job is not exchange.job]
    if others:
        _cancel_quietly(others[-1], exchange.now)


def refuse_and_cancel(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Refuse what has ended, and yet call it cancelled."""
    try:
        steps.cancel(exchange)
    except Refusal:
        exchange.job.put(next(iter(exchange.job.lifecycle.cancel_moves.values())))
        raise


def _cancel_quietly(job: Job, now: float) -> None:
    try:
        job.cancel(now)
    except Refusal:
        return


def first_cancel(*, accepted: bool) -> Bend:
    """Let the first cancel of a job do nothing, accepted or refused, and the second one cancel."""

    def bend(steps: Steps, _place: Place) -> Steps:
        asked: set[str] = set()

        def cancel(exchange: Exchange) -> None:
            job = exchange.job
            if job.id in asked or job.state(exchange.now) not in job.lifecycle.cancel_moves:
                steps.cancel(exchange)
                return
            asked.add(job.id)
            if not accepted:
                raise Refusal(Case.NOT_CANCELLABLE)

        return replace(steps, cancel=cancel)

    return bend


def settling_in(seconds: float) -> Callable[[Steps, Place, Exchange], None]:
    """Let the cancel take its time, in seconds."""

    def cancel(_steps: Steps, _place: Place, exchange: Exchange) -> None:
        job = exchange.job
        kept = job.lifecycle
        job.lifecycle = replace(kept, settling=seconds)
        try:
            job.cancel(exchange.now)
        finally:
            job.lifecycle = kept

    return cancel


class FinishingJob(Job):
    """A job whose end comes as soon as somebody has seen it cancelled, and replaces that."""

    __slots__ = ()

    def state(self, now: float) -> str:
        """Tell the state at a moment, in epoch seconds."""
        seen = super().state(now)
        if seen in self.lifecycle.cancel_moves.values():
            self.put(self.lifecycle.well_ended)
        return seen


def finish_after_cancel(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Cancel a job, and let it finish all the same."""
    steps.cancel(exchange)
    exchange.job.__class__ = FinishingJob


def finish_replacing_cancel(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Cancel, and let the end that the job was coming to by itself come all the same."""
    job = exchange.job
    before = job.moment
    steps.cancel(exchange)
    if _runs_out(before):
        job.moment = before._replace(state=job.lifecycle.cancel_moves[before.state])


def finish_overlooked(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Go by the state that was seen last: accept the cancel of a job that has finished unseen meanwhile."""
    before = exchange.job.moment
    if not (_runs_out(before) and exchange.now >= before.when):
        steps.cancel(exchange)


def cancel_replacing_finish(steps: Steps, _place: Place, exchange: Exchange) -> None:
    """Refuse the cancel of a job that has just finished by itself, and cancel it all the same."""
    job = exchange.job
    before = job.moment
    try:
        steps.cancel(exchange)
    except Refusal:
        if _runs_out(before):
            job.put(job.lifecycle.cancel_moves[before.state])
        raise


def _runs_out(moment: Moment) -> bool:
    """Tell whether what follows is an end by itself."""
    return moment.then is not None and not moment.settling


def asking_cancels(steps: Steps, _place: Place) -> Steps:
    """Cancel the job that is asked for, and tell of it then."""
    return replace(steps, cancel=lambda exchange: _cancel_quietly(exchange.job, exchange.now))


def by_part(part: slice) -> Callable[[Place, Exchange], Job | None]:
    """Find the job whose id agrees with the given one in a part, and in length."""

    def search(place: Place, exchange: Exchange) -> Job | None:
        given = exchange.job_id
        return _first(
            job
            for job in same_owner(place, exchange)
            if len(job.id) == len(given) and job.id[part] == given[part]
        )

    return search


def by_decoding_again(place: Place, exchange: Exchange) -> Job | None:
    """Find the job whose id appears when the given one is percent-decoded once more."""
    again = unquote(exchange.job_id)
    return _first(job for job in same_owner(place, exchange) if job.id == again)


def of_any_kind(place: Place, exchange: Exchange) -> Job | None:
    """Find the job of another operation of the same API."""
    jobs = place.state.jobs
    keys = [key for key in place.state.kinds if key.startswith(f"{place.operation.api}/")]
    found = (jobs.find(key, exchange.owner, exchange.job_id) for key in keys)
    return _first(job for job in found if job is not None)
