"""Ids and test keys: all different, the same in every run with one seed."""

from __future__ import annotations

from hashlib import blake2b


class Ids:
    """Give out ids that never repeat within one instance; two instances with one seed give the same."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed.to_bytes(8, "big", signed=True)
        self._count = 0

    def hex32(self) -> str:
        """Make 32 lower-case hexadecimal digits."""
        self._count += 1
        return blake2b(self._count.to_bytes(8, "big"), digest_size=16, key=self._seed).hexdigest()

    def uuid(self) -> str:
        """Make an id in the form of a UUID."""
        digits = self.hex32()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def word(self, meaning: str) -> str:
        """Make a test credential that says what it is, as in ``mock-access-key-0123…``."""
        return f"mock-{meaning}-{self.hex32()[:24]}"
