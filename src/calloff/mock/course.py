"""How jobs run by themselves: how long they stay in a state, and where they go from there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Stay:
    """The stay of a job in a state, in seconds at speed 1, and the states that follow, with their shares."""

    shortest: float
    longest: float
    then: Mapping[str, float]

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.longest:
            raise ValueError(f"a stay of {self.shortest} to {self.longest} seconds cannot be")
        if min(self.then.values(), default=0) <= 0 or not math.isclose(sum(self.then.values()), 1):
            raise ValueError(f"expected shares above 0 that add up to 1, not {dict(self.then)}")


@dataclass(frozen=True, slots=True)
class Course:
    """The stays of all jobs of an operation; a state without one is left by nobody but a cancel.

    Args:
        stays: by state.
        speed: how many times faster than the table the jobs run; above 0.
        draw: gives two numbers from 0 to under 1 for the id of a job and the number of a stay.
    """

    stays: Mapping[str, Stay]
    speed: float
    draw: Callable[[str, int], tuple[float, float]]

    def leaving(self, job_id: str, step: int, state: str) -> tuple[str, float] | None:
        """Tell where a job goes from its state and after how many seconds, or None where it stays."""
        stay = self.stays.get(state)
        if stay is None:
            return None
        length, way = self.draw(job_id, step)
        seconds = (stay.shortest + length * (stay.longest - stay.shortest)) / self.speed
        for follower, share in stay.then.items():
            way -= share
            if way < 0:
                return follower, seconds
        *_, last = stay.then  # where rounding left a little
        return last, seconds


def ending(state: str, end: str, seconds: float) -> Course:
    """Give the course of one job that leaves a state for its end after so many seconds, whatever others do."""
    return Course({state: Stay(seconds, seconds, {end: 1.0})}, 1.0, lambda _job_id, _step: (0.0, 0.0))
