"""Keep a key from being locked: until it is known to work, and once it fails, one request at a time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calloff.bulk.pace import Halt
    from calloff.errors import CalloffError

# The gateway locks a key after more than 5 failures in a row (HW-SIGN, api-sign-0001).
MAX_FAILURES = 3

_LOG = logging.getLogger("calloff.bulk")


class KeyGuard:
    """Lets requests through: all while ``open``, one at a time before that.

    It opens when one that was sent alone was answered by somebody who accepted the credential. ``flying`` is how
    many are on their way; who finds it open adds itself. ``limit`` is how many may be, None where the callers are
    no more than that. What is in flight when a key stops working cannot be called back: from then on
    nothing leaves until it is answered. They are as many as leave in the time of an answer, and if the key was
    revoked, its lock harms nobody; what makes a good key fail, a clock that is set, is told by ``doubt`` before.
    """

    def __init__(self, halt: Halt, limit: int | None = None) -> None:
        self._halt = halt
        self.slots = asyncio.Semaphore(limit) if limit else None
        self._turn = asyncio.Lock()
        self._landed = asyncio.Event()
        self.open = False
        self.failures = 0
        self.flying = 0

    @property
    def shut(self) -> bool:
        """Tell whether one more failure is not to be risked."""
        return self.failures >= MAX_FAILURES

    async def enter(self) -> bool:
        """Wait until a request may leave; say whether it does so alone."""
        await self._turn.acquire()
        try:
            if not self.open:
                while self.flying:
                    self._landed.clear()
                    await self._landed.wait()
        except BaseException:
            self._turn.release()
            raise
        self.flying += 1
        if self.open:
            self._turn.release()
            return False
        return True

    def leave(self, *, alone: bool) -> None:
        """Take note that a request was answered or lost."""
        self.flying -= 1
        if not self.flying:
            self._landed.set()
        if alone:
            self._turn.release()

    def proved(self) -> None:
        """Take note that the credential of a request that was sent alone was accepted."""
        self.failures, self.open = 0, True

    def doubt(self) -> None:
        """Take note that what proved the credential may hold no more."""
        self.open = False

    def renewed(self) -> None:
        """Take note that another key is used from now on."""
        self.failures, self.open = 0, False

    def failed(self, error: CalloffError) -> None:
        """Take note that a credential was not accepted; at the third time in a row the run stops."""
        self.open = False
        self.failures += 1
        _LOG.warning("the credential was not accepted (%d in a row): %s", self.failures, error)
        if self.shut:
            self._halt.stop(
                f"the service did not accept the credential {self.failures} times in a row, and might lock the key "
                f"after more: {error}"
            )
