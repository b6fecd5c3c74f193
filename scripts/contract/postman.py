"""Collections for Postman, format 2.1: https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contract.calls import APIS, Call, answer_script, calls, request_script, variables

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def collection(
    api: str, document: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]]
) -> dict[str, bytes]:
    """Write the collection of one API, and an environment to fill in, by file name.

    Args:
        api: name of the API.
        document: its document of cancels.
        documents: all documents by file name, for the links between them.
    """
    info, listed_calls = document["info"], calls(document, documents)
    rows = [
        {"key": name, "value": value, "type": "secret" if name in APIS[api].credentials else "default"}
        for name, value in variables(api, listed_calls, document).items()
    ]
    listed = {
        "info": {"name": info["title"], "description": info["summary"], "schema": SCHEMA},
        "item": [_item(api, call) for call in listed_calls],
    }
    environment = {"name": info["title"], "values": rows, "_postman_variable_scope": "environment"}
    return {
        f"{api}.postman_collection.json": _json(listed),
        f"{api}.postman_environment.json": _json(environment),
    }


def _item(api: str, call: Call) -> dict[str, Any]:
    path = call.url_path.removeprefix("/").split("/")
    raw = f"{{{{base_url}}}}{call.url_path}" + (f"?{call.query}" if call.query else "")
    url: dict[str, Any] = {"raw": raw, "host": ["{{base_url}}"], "path": path}
    if call.query:
        url["query"] = [{"key": call.query, "value": None}]
    return {
        "name": call.name,
        # The token of a request is nobody's but the service's.
        "protocolProfileBehavior": {"followRedirects": False, "disableCookies": True},
        "event": [
            _event("prerequest", request_script("postman", api, call)),
            _event("test", answer_script("postman", api, call)),
        ],
        "request": {
            "method": call.method,
            "header": [{"key": name, "value": value} for name, value in call.headers.items()],
            "url": url,
            "description": f"{call.summary}\n\n{call.description}",
        },
    }


def _event(listen: str, script: str) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": script.splitlines()}}


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()
