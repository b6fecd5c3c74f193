"""Ids and test keys: all different, the same in every run with one seed."""

from __future__ import annotations

from hashlib import blake2b

_PER_START = 1 << 40  # ids a server may give out before it has to be started again


class Ids:
    """Give out ids that never repeat within one instance; two instances with one seed give the same."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed.to_bytes(8, "big", signed=True)
        self._keyed = blake2b(digest_size=16, key=self._seed)
        self._count = 0

    def skip_to_start(self, number: int) -> None:
        """Go on with ids that no earlier start of the same server gave out; the first start has number 0."""
        self._count = max(self._count, number * _PER_START)

    def draw(self, job_id: str, step: int) -> tuple[float, float]:
        """Draw two numbers from 0 to under 1, by the seed and what is given alone."""
        drawn = blake2b(
            f"{step} {job_id}".encode(), digest_size=12, key=self._seed, person=b"course"
        ).digest()
        return int.from_bytes(drawn[:6], "big") / 2**48, int.from_bytes(drawn[6:], "big") / 2**48

    def hex32(self) -> str:
        """Make 32 lower-case hexadecimal digits."""
        self._count += 1
        made = self._keyed.copy()
        made.update(self._count.to_bytes(8, "big"))
        return made.hexdigest()

    def uuid(self) -> str:
        """Make an id in the form of a UUID."""
        digits = self.hex32()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def word(self, meaning: str) -> str:
        """Make a test credential that says what it is, as in ``mock-access-key-0123…``."""
        return f"mock-{meaning}-{self.hex32()[:24]}"
