"""The time that a target is examined in: that of this machine, unless somebody moves it on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells the time and lets it pass.

    *now* gives Unix seconds, *elapsed* seconds from any moment on that never go back; *sleep* lets seconds pass.
    """

    now: Callable[[], float] = field(default=time.time, repr=False)
    elapsed: Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
