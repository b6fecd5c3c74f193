"""Checksums, and an archive whose bytes depend on nothing but what it holds."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Mapping

SUMS = "SHA256SUMS"
# The time of every entry unless SOURCE_DATE_EPOCH is set: 1980-01-01, which every format of archives can hold.
EARLIEST = 315532800


def with_sums(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Add ``SHA256SUMS``, as ``sha256sum --check`` reads it, to files that are given by path."""
    lines = [f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files)]
    return {**files, SUMS: "".join(lines).encode()}


def packed(files: Mapping[str, bytes], root: str) -> bytes:
    """Pack files into a ``tar.gz`` below one folder: sorted, one time, no owner, no rights but to read.

    Args:
        files: content by path.
        root: name of the folder that everything stands in.
    """
    time = int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST))
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(f"{root}/{path}")
            entry.size, entry.mtime, entry.mode = len(files[path]), time, 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return gzip.compress(plain.getvalue(), compresslevel=9, mtime=0)
