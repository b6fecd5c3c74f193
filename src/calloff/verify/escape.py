"""Carry an error out of hypothesis, which would otherwise replay it, shrink it and wrap it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from calloff.verify.target import CannotSupplyError, TargetError
from calloff.verify.wire import NoAnswerError, TargetLostError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDS_THE_CHECK = (CannotSupplyError, NoAnswerError, TargetError, TargetLostError)


class _Escape(BaseException):
    """Hypothesis lets pass what is no Exception."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def inside_hypothesis() -> Iterator[None]:
    """Let what ends the check pass through hypothesis."""
    try:
        yield
    except _ENDS_THE_CHECK as error:
        raise _Escape(error) from error


@contextmanager
def around_hypothesis() -> Iterator[None]:
    """Raise what ended the check as what it was."""
    try:
        yield
    except _Escape as escape:
        raise escape.error from None
