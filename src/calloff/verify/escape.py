"""Carry an error out of hypothesis, which would otherwise replay it, shrink it, wrap it or lose it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from calloff.verify.pace import BudgetSpentError
from calloff.verify.target import CannotSupplyError, TargetError
from calloff.verify.wire import NoAnswerError, TargetLostError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDS_THE_CHECK = (
    BudgetSpentError,
    CannotSupplyError,
    NoAnswerError,
    TargetError,
    TargetLostError,
    KeyboardInterrupt,
)


class _Leave(BaseException):
    """Hypothesis lets pass what is no Exception."""


class Escape:
    """The way out of one test that hypothesis runs."""

    def __init__(self) -> None:
        self._error: BaseException | None = None

    @property
    def left(self) -> bool:
        """Tell whether the check was ended."""
        return self._error is not None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Leave hypothesis with what ends the check."""
        try:
            yield
        except _ENDS_THE_CHECK as error:
            self._error = error
            raise _Leave from error

    @contextmanager
    def around(self) -> Iterator[None]:
        """Raise what ended the check as what it was."""
        try:
            yield
        except BaseException:
            # While it cleans up, hypothesis may raise an error of its own instead.
            if self._error is not None:
                raise self._error from None
            raise
