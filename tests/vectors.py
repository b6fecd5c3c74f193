"""Load the signing vectors for every test that runs them: signer, reference verifier, the mock's verifier."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.reference import Message

FOLDER = Path(__file__).parents[1] / "spec" / "signing"
FILES = {
    "q-sign": "q-sign.json",
    "sdk-hmac-sha256": "sdk-hmac-sha256.json",
    "sdk-hmac-sha256-derived": "sdk-hmac-sha256-derived.json",
}


@dataclass(frozen=True)
class Vector:
    """One case; members that every case has are attributes, the rest stays in ``raw``."""

    name: str
    verdict: str
    request: Message
    arrives: Message
    credentials: dict[str, str]
    sender: dict[str, str]
    stages: dict[str, str]
    authorization: str
    signed_headers: tuple[str, ...]
    signed_parameters: tuple[str, ...]
    time: dict[str, Any]
    undecided: str
    not_for_signers: str
    raw: dict[str, Any]

    def __str__(self) -> str:
        return self.name

    @property
    def not_for_key_verifiers(self) -> str:
        """Why a verifier that only knows secret keys cannot run this case; empty if it can."""
        return "" if "secret_key" in self.credentials else "The vendor masks the secret key."


def _message(raw: dict[str, Any]) -> Message:
    return Message(
        raw["method"],
        raw["target"],
        tuple((name, value) for name, value in raw["headers"]),
        raw["body"].encode(),
    )


def load_vectors(algorithm: str) -> list[Vector]:
    """Load all cases of ``algorithm``, a key of ``FILES``."""
    cases = json.loads((FOLDER / FILES[algorithm]).read_text(encoding="utf-8"))["cases"]
    return [
        Vector(
            name=case["name"],
            verdict=case["verdict"],
            request=_message(case["request"]),
            arrives=_message(case["arrives"]),
            credentials=case["credentials"],
            sender=case.get("sender_credentials", case["credentials"]),
            stages=case["stages"],
            authorization=case["authorization"],
            signed_headers=tuple(case["signed_headers"]),
            signed_parameters=tuple(case.get("signed_parameters", ())),
            time=case["time"],
            undecided=case.get("undecided", ""),
            not_for_signers=case.get("not_for_signers", ""),
            raw=case,
        )
        for case in cases
    ]


def signer_vectors(algorithm: str) -> list[Vector]:
    """Load the cases that a signer must reproduce; the others say in ``not_for_signers`` why not."""
    return [vector for vector in load_vectors(algorithm) if not vector.not_for_signers]
