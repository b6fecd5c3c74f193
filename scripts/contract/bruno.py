"""Collections for Bruno, a folder of text files each: https://docs.usebruno.com/bru-lang/language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contract.calls import APIS, Call, answer_script, calls, request_script, variables

TIMEOUT = 30_000  # milliseconds


def collection(
    api: str, document: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]]
) -> dict[str, bytes]:
    """Write the collection of one API, and an environment to fill in, by path inside the collection.

    Args:
        api: name of the API.
        document: its document of cancels.
        documents: all documents by file name, for the links between them.
    """
    info, listed = document["info"], calls(document, documents)
    about = {"version": "1", "name": info["title"], "type": "collection", "ignore": []}
    given = variables(api, listed, document)
    secret = APIS[api].credentials
    plain = {name: value for name, value in given.items() if name not in secret}
    texts = {
        "bruno.json": json.dumps(about, indent=2, ensure_ascii=False) + "\n",
        "environments/cloud.bru": _block("vars", _pairs(plain))
        + "vars:secret [\n  "
        + ",\n  ".join(secret)
        + "\n]\n",
    }
    texts |= {f"{call.name}.bru": _request(api, call, order) for order, call in enumerate(listed, 1)}
    return {path: text.encode() for path, text in texts.items()}


def _request(api: str, call: Call, order: int) -> str:
    url = f"{{{{base_url}}}}{call.url_path}" + (f"?{call.query}" if call.query else "")
    blocks = {
        "meta": _pairs({"name": call.name, "type": "http", "seq": str(order)}),
        call.method.lower(): _pairs({"url": url, "body": "none", "auth": "none"}),
        "params:query": _pairs({call.query: ""}) if call.query else "",
        "headers": _pairs(call.headers),
        "script:pre-request": request_script("bruno", api, call),
        "tests": answer_script("bruno", api, call),
        "settings": _pairs(
            # The token of a request is nobody's but the service's.
            {"encodeUrl": "false", "timeout": str(TIMEOUT), "followRedirects": "false", "maxRedirects": "0"}
        ),
        "docs": f"{call.summary}\n\n{call.description}",
    }
    return "\n".join(_block(name, text) for name, text in blocks.items() if text)


def _pairs(pairs: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}".rstrip() + "\n" for name, value in pairs.items())


def _block(name: str, text: str) -> str:
    lines = (f"  {line}".rstrip() for line in text.splitlines())
    return "\n".join([f"{name} {{", *lines, "}"]) + "\n"
