"""Every requirement that binds a client is proven by a marked test, and every mark names one."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from calloff.resources import spec_path

MARK = re.compile(r'^@pytest\.mark\.requirement\("([^"]+)"\)', re.MULTILINE)


def test_client_requirements_and_marked_tests_are_the_same_set() -> None:
    catalogue = yaml.safe_load(spec_path("requirements.yaml").read_text(encoding="utf-8"))
    required = {row["id"] for row in catalogue["requirements"] if row["binds"] == "client"}
    marked = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        for name in MARK.findall(path.read_text(encoding="utf-8"))
    }

    assert marked == required
