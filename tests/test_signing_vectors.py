"""The vectors themselves: their schema, and a second implementation that signs and verifies every one."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from peers import reference
from vectors import FILES, FOLDER, Vector, load_vectors, signer_vectors

SCHEMA = json.loads((FOLDER / "vector.schema.json").read_text(encoding="utf-8"))
VERIFIERS = {
    "q-sign": reference.verify_qsign,
    "sdk-hmac-sha256": reference.verify_hmac,
    "sdk-hmac-sha256-derived": reference.verify_derived,
}
ALL = [(algorithm, vector) for algorithm in FILES for vector in load_vectors(algorithm)]

# Every vector that is not run, by a verifier or by a signer; the reason stands in the file.
UNDECIDED = {
    "q-sign": {"path-escaped-slash", "query-value-plus-bare", "start-in-the-future"},
    "sdk-hmac-sha256": {"path-escaped-slash", "path-trailing-slash", "query-value-plus-bare"},
    "sdk-hmac-sha256-derived": {"scope-of-another-service"},
}
NOT_FOR_SIGNERS = {
    "q-sign": {
        "wrong-construction-bare-parameter",
        "wrong-construction-binary-sign-key",
        "wrong-construction-encoded-path",
        "wrong-construction-no-last-line-feed",
        "wrong-construction-upper-case-method",
    },
    "sdk-hmac-sha256": {
        "date-impossible",
        "date-malformed",
        "date-unsigned",
        "unsigned-payload-empty-body-word",
        "wrong-construction-crlf",
        "wrong-construction-lower-case-method",
        "wrong-construction-no-empty-line",
        "wrong-construction-no-trailing-slash",
    },
    "sdk-hmac-sha256-derived": {
        "wrong-construction-empty-parts-skipped",
        "wrong-construction-key-not-derived",
        "wrong-construction-key-without-prefix",
        "wrong-construction-no-scope-line",
        "wrong-construction-scope-of-another-day",
    },
}

# A case that is lost, or moves from one verdict to another, is a change for every signer and verifier out there.
VERDICTS = {
    "q-sign": {"valid": 41, "acceptable": 12, "must-refuse": 36},
    "sdk-hmac-sha256": {"valid": 44, "acceptable": 10, "must-refuse": 34},
    "sdk-hmac-sha256-derived": {"valid": 7, "acceptable": 1, "must-refuse": 18},
}


def document(file: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / file).read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", FILES.values())
def test_a_file_of_vectors_fits_the_schema(file: str) -> None:
    errors = [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(SCHEMA).iter_errors(document(file))
    ]

    assert errors == []


def test_every_json_file_of_the_folder_is_tested() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == {*FILES.values(), "vector.schema.json"}


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"verdict": "perhaps"}, "'perhaps' is not one of"),
        ({"verdict": "must-refuse"}, "'reason' is a required property"),
        ({"reason": "time: expired"}, "False schema does not allow"),
        ({"silent_point": "ci-future-start"}, "False schema does not allow"),
        ({"surprise": 1}, "Unevaluated properties are not allowed"),
        ({"credentials": {"secret_id": "x"}}, "is not valid under any of the given schemas"),
        ({"stages": {}}, "'signature' is a required property"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_the_schema_refuses_a_broken_case(change: dict[str, Any], complaint: str) -> None:
    broken = document("q-sign.json")
    broken["cases"] = [case | change for case in broken["cases"] if case["name"] == "cancel-batch-job"]

    messages = [error.message for error in Draft202012Validator(SCHEMA).iter_errors(broken)]

    assert any(complaint in message for message in messages), messages


@pytest.mark.parametrize("algorithm", FILES)
def test_names_are_unique(algorithm: str) -> None:
    names = [vector.name for vector in load_vectors(algorithm)]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("algorithm", FILES)
def test_what_is_not_run_is_listed(algorithm: str) -> None:
    vectors = load_vectors(algorithm)

    assert {vector.name for vector in vectors if vector.not_for_signers} == NOT_FOR_SIGNERS[algorithm]
    assert {vector.name for vector in vectors if vector.undecided} == UNDECIDED[algorithm]


@pytest.mark.parametrize("algorithm", FILES)
def test_no_case_is_lost_or_changes_its_verdict(algorithm: str) -> None:
    assert Counter(vector.verdict for vector in load_vectors(algorithm)) == VERDICTS[algorithm]


def test_every_named_silent_point_exists() -> None:
    known = (FOLDER.parent / "silent-points.yaml").read_text(encoding="utf-8")
    named = {vector.raw["silent_point"] for _, vector in ALL if "silent_point" in vector.raw}

    assert named <= ids(yaml.safe_load(known))


def ids(tree: object) -> set[str]:
    """Collect every ``id`` of a document, however deep."""
    if isinstance(tree, dict):
        own = {tree["id"]} if isinstance(tree.get("id"), str) else set()
        return own.union(*(ids(value) for value in tree.values()))
    return set().union(*(ids(value) for value in tree)) if isinstance(tree, list) else set()


@pytest.mark.parametrize("vector", signer_vectors("q-sign"), ids=str)
def test_the_reference_reproduces_q_sign(vector: Vector) -> None:
    headers, parameters = (
        sorted(reference.lowered(name.encode()) for name in names)
        for names in (vector.signed_headers, vector.signed_parameters)
    )
    times = f"{vector.time['start']};{vector.time['end']}"

    stages = reference.qsign_stages(vector.request, vector.sender, times, headers, parameters)

    assert stages == vector.stages
    assert vector.authorization == reference.qsign_authorization(
        vector.sender["secret_id"], times, headers, parameters, stages["signature"]
    )


@pytest.mark.parametrize("vector", signer_vectors("sdk-hmac-sha256"), ids=str)
def test_the_reference_reproduces_sdk_hmac_sha256(vector: Vector) -> None:
    names = sorted(name.lower() for name in vector.signed_headers)
    canonical = reference.hmac_canonical_request(vector.request, names)

    stages = reference.hmac_stages(canonical, vector.sender["secret_key"], vector.time["date"])

    assert stages == vector.stages
    assert vector.authorization == reference.hmac_authorization(
        vector.sender["access_key"], names, stages["signature"]
    )


@pytest.mark.parametrize("vector", signer_vectors("sdk-hmac-sha256-derived"), ids=str)
def test_the_reference_reproduces_the_derived_form(vector: Vector) -> None:
    names, scope = list(vector.signed_headers), vector.raw["scope"]
    canonical = reference.hmac_canonical_request(vector.request, names)

    stages = reference.derived_stages(canonical, vector.sender["secret_key"], vector.time["date"], scope)

    assert stages == vector.stages
    assert vector.authorization == reference.derived_authorization(
        vector.sender["access_key"], scope, names, stages["signature"]
    )


@pytest.mark.parametrize(("algorithm", "vector"), [pair for pair in ALL if not pair[1].undecided], ids=str)
def test_the_reference_verifier_agrees_with_the_verdict(algorithm: str, vector: Vector) -> None:
    try:
        VERIFIERS[algorithm](vector.arrives, vector.credentials, vector.time["now"])
    except reference.RefusedError:
        assert vector.verdict == "must-refuse"
    else:
        assert vector.verdict != "must-refuse"


@pytest.mark.parametrize(
    ("algorithm", "vector"),
    [pair for pair in ALL if pair[1].verdict == "must-refuse" and not pair[1].not_for_signers],
    ids=str,
)
def test_a_refused_vector_is_wrong_in_one_thing(algorithm: str, vector: Vector) -> None:
    """Sent as the sender computed it, at a good time and under the sender's key, the request is accepted."""
    repaired = vector.request
    form = vector.raw.get("form", "header")
    if form == "query":
        pairs = (field.partition("=") for field in vector.authorization.split("&"))
        fields = "&".join(f"{name}={reference.encode(value.encode())}" for name, _, value in pairs)
        repaired = reference.Message(
            repaired.method, f"{repaired.target}&{fields}", repaired.headers, repaired.body
        )
    else:
        repaired = reference.with_header(repaired, "Authorization", vector.authorization)
    now = vector.time.get("start") or vector.time["now"]

    if vector.raw["reason"].startswith("time: outside"):
        now = vector.time["now"] + (1200 if vector.name == "date-too-far-ahead" else -1200)

    VERIFIERS[algorithm](repaired, vector.sender, now)
