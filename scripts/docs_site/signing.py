"""Show the stages of a signature on a vector of ``spec/signing/``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from docs_site.markdown import code, fence

_PLACE = re.compile(r"^<!-- stages: (\S+) (\S+) -->$", re.MULTILINE)
# What each stage is, in the order in which a signer makes them.
_STAGES = {
    "q-sign": {
        "sign_key": (
            "The key of this validity: HMAC-SHA1 of the key time under the secret key, in hexadecimal. The next HMAC "
            "takes that text, not the bytes it stands for."
        ),
        "http_string": (
            "The request: method in lower case, path decoded, signed parameters, signed headers. Names in lower case, "
            "values percent-encoded, sorted, joined by `&`; each line ends with a line break."
        ),
        "http_string_sha1": "Its SHA-1.",
        "string_to_sign": "The text to sign: algorithm, key time, that digest; each line ends with a line break.",
        "signature": "HMAC-SHA1 of the text to sign, under the key of this validity.",
    },
    "sdk-hmac-sha256": {
        "canonical_request": (
            "The request: method, path encoded anew and ended with `/`, query sorted, each signed header on a line, an "
            "empty line, their names, the SHA-256 of the body. No line break at the end."
        ),
        "canonical_request_sha256": "Its SHA-256.",
        "string_to_sign": "The text to sign: algorithm, `X-Sdk-Date`, that digest.",
        "signature": "HMAC-SHA256 of the text to sign, under the secret key itself.",
    },
}


def with_stages(text: str, cases: Callable[[str], list[dict[str, Any]]]) -> str:
    """Put stages in the places of *text* that ask for those of a vector; *cases* gives the vectors of an algorithm."""
    return _PLACE.sub(
        lambda place: _stages(place[1], next(one for one in cases(place[1]) if one["name"] == place[2])), text
    )


def _stages(algorithm: str, vector: Mapping[str, Any]) -> str:
    request = vector["request"]
    head = "\n".join(f"{name}: {value}" for name, value in request["headers"])
    keys = " and ".join(
        f"{name.replace('_', ' ')} {code(value)}" for name, value in vector["credentials"].items()
    )
    parts = [
        f"The vector {code(vector['name'])}, with {keys}.\n",
        fence(f"{request['method']} {request['target']}\n{head}"),
    ]
    for number, (stage, meaning) in enumerate(_STAGES[algorithm].items(), start=1):
        parts += [f"**{number}. {code(stage)}.** {meaning}\n", fence(vector["stages"][stage])]
    last = len(_STAGES[algorithm]) + 1
    parts += [
        f"**{last}. {code('authorization')}.** The value of the header.\n",
        fence(vector["authorization"]),
    ]
    return "\n".join(parts)
