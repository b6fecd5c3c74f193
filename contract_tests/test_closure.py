"""The catalogue and the suite name each other completely."""

from __future__ import annotations

import pytest

from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue
from calloff.verify.engine import checks, rule_requirements

CATALOGUE = load_catalogue()
SERVER = [requirement for requirement in CATALOGUE.requirements.values() if requirement.binds == "server"]


@pytest.mark.parametrize("key", OPERATIONS)
def test_every_server_requirement_has_a_check_on_every_operation_that_it_binds(key: str) -> None:
    proven = {requirement for check in checks(OPERATIONS[key]) for requirement in check.requirements}
    proven |= set(rule_requirements())

    assert [r.id for r in SERVER if r.applies_to(key) and r.id not in proven] == []


@pytest.mark.parametrize("key", OPERATIONS)
def test_every_check_names_requirements_that_bind_its_operation(key: str) -> None:
    wrong = [
        (check.name, requirement)
        for check in checks(OPERATIONS[key])
        for requirement in check.requirements
        if requirement not in CATALOGUE.requirements
        or CATALOGUE.requirements[requirement].binds != "server"
        or not CATALOGUE.requirements[requirement].applies_to(key)
    ]

    assert wrong == []


def test_every_rule_on_the_form_of_an_answer_names_a_server_requirement() -> None:
    assert [rule for rule in rule_requirements() if CATALOGUE.requirements[rule].binds != "server"] == []


def test_no_two_checks_of_an_operation_have_the_same_name() -> None:
    for operation in OPERATIONS.values():
        names = [(check.layer, check.name) for check in checks(operation)]
        assert len(names) == len(set(names))
