"""Write what other teams pick up with a release: a folder and an archive; ``nox -s bundle`` runs it.

``python scripts/bundle.py FOLDER`` writes ``calloff-contract-VERSION/`` and ``calloff-contract-VERSION.tar.gz`` into
the folder. The same commit always gives the same bytes (SOURCE_DATE_EPOCH sets the time of the entries). Nothing
leaves this program that was not validated: documents as OpenAPI, data against its JSON Schema.
"""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from contract import bruno, postman
from contract.archive import packed, with_sums
from contract.calls import APIS, LinkError
from contract.openapi30 import DerivationError, derive
from contract.references import broken
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "spec"
SUFFIX = ".openapi.yaml"
# Written in YAML for people, handed out as JSON; each has its schema under schemas/.
CATALOGUES = ("requirements", "silent-points")
# As they are: what explains the rest, and data that is JSON already.
COPIED = (
    "SOURCES.md",
    "signing/README.md",
    "signing/vector.schema.json",
    "signing/q-sign.json",
    "signing/sdk-hmac-sha256.json",
    "signing/sdk-hmac-sha256-derived.json",
    "verify/profile.schema.json",
    "verify/report.schema.json",
    "schemas/bundle.schema.json",
    "schemas/requirements.schema.json",
    "schemas/silent-points.schema.json",
)
# What a reader of the bundle opens first, and the page of the folder that it is made from.
WELCOME = Path(__file__).resolve().parent / "contract" / "README.bundle.md"
PAGE = "CONTRACT.md"
# Data of the bundle -> the schema that describes it.
SCHEMAS = {
    "contract.json": "schemas/bundle.schema.json",
    **{f"{name}.json": f"schemas/{name}.schema.json" for name in CATALOGUES},
    **{path: "signing/vector.schema.json" for path in COPIED if path.startswith("signing/") and "-" in path},
}


class BundleError(Exception):
    """Something that must not be handed out."""


class _PlainDumper(yaml.SafeDumper):
    """Writes every value where it stands: no anchors, which some readers of OpenAPI refuse."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def main(arguments: list[str] | None = None) -> int:
    """Write the bundle into the folder that is named."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1 or given[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    version = release()
    try:
        files = with_sums(contents(SPEC, version))
    except (BundleError, DerivationError, LinkError) as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    target, name = Path(given[0]), f"calloff-contract-{version}"
    shutil.rmtree(target / name, ignore_errors=True)
    for path, content in files.items():
        (target / name / path).parent.mkdir(parents=True, exist_ok=True)
        (target / name / path).write_bytes(content)
    (target / f"{name}.tar.gz").write_bytes(packed(files, name))
    print(f"bundle: {len(files)} files in {target / name} and {name}.tar.gz")
    return 0


def release() -> str:
    """Read the version of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def contents(spec: Path, version: str) -> dict[str, bytes]:
    """Make every file of a bundle but the checksums.

    Args:
        spec: the folder of the contract.
        version: version of the package.

    Raises:
        BundleError: a file is no YAML, a reference leads nowhere, a document is no valid OpenAPI, data breaks its
            schema, an id stands twice, or a default is no choice.
        DerivationError: a document has no form in OpenAPI 3.0.
        LinkError: a link does not give what the operation that it leads to asks for.
    """
    files = {"LICENSE": (ROOT / "LICENSE").read_bytes(), "README.md": WELCOME.read_bytes()}
    files[PAGE] = (spec / "README.md").read_bytes()
    files |= {path: (spec / path).read_bytes() for path in COPIED}
    for fault in broken(_documents(spec)):
        raise BundleError(fault)
    files |= {f"{name}.json": _json(_yaml(spec / f"{name}.yaml")) for name in CATALOGUES}
    documents = {}
    for file, document in _documents(spec).items():
        name = file.removesuffix(SUFFIX)
        forms = document_forms(name, spec / file)
        places = {form: f"openapi-{form[:3]}/{name}.openapi.{form[4:]}" for form in forms}
        files |= {places[form]: content for form, content in forms.items()}
        info = document["info"]
        documents[name] = {"title": info["title"], "version": info["version"], "files": places}
    files |= collections(spec)
    files["contract.json"] = _json(
        {"format": 1, "release": version, "documents": documents, "schemas": SCHEMAS}
    )
    for data, schema in SCHEMAS.items():
        _hold(data, json.loads(files[data]), json.loads(files[schema]))
    for name in CATALOGUES:
        _hold_rows(f"{name}.json", json.loads(files[f"{name}.json"])[name.replace("-", "_")])
    return files


def document_forms(name: str, path: Path) -> dict[str, bytes]:
    """Give a document in OpenAPI 3.1 and 3.0, each as YAML and as JSON."""
    written = _yaml(path)
    derived = derive(written)
    for document, validator in ((written, OpenAPIV31SpecValidator), (derived, OpenAPIV30SpecValidator)):
        for error in validator(document).iter_errors():
            raise BundleError(f"{name}, OpenAPI {document['openapi']}: {error.message}")
    head = f"# Derived from the OpenAPI 3.1 form of {path.name}, which has the comments and decides.\n"
    text = yaml.dump(derived, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=110)
    return {
        "3.1-yaml": path.read_bytes(),
        "3.1-json": _json(_linked(written)),
        "3.0-yaml": (head + text).encode(),
        "3.0-json": _json(_linked(derived)),
    }


def collections(spec: Path) -> dict[str, bytes]:
    """Write the collections for Postman and Bruno of the three APIs, from their documents."""
    files: dict[str, bytes] = {}
    documents = _documents(spec)
    for api in APIS:
        given = (api, documents[f"{api}{SUFFIX}"], documents)
        files |= {f"postman/{path}": content for path, content in postman.collection(*given).items()}
        files |= {f"bruno/{api}/{path}": content for path, content in bruno.collection(*given).items()}
    return {f"collections/{path}": content for path, content in files.items()}


def _documents(spec: Path) -> dict[str, Any]:
    return {path.name: _yaml(path) for path in sorted(spec.glob(f"*{SUFFIX}"))}


def _linked(node: Any) -> Any:
    """Let the links of a document name the JSON forms of the others."""
    if isinstance(node, Mapping):
        return {
            key: value.replace(".yaml#/", ".json#/") if key == "operationRef" else _linked(value)
            for key, value in node.items()
        }
    return [_linked(item) for item in node] if isinstance(node, list) else node


def _yaml(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506 - safe
    except yaml.YAMLError as error:
        raise BundleError(f"{path.name}: no YAML: {error}") from error


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def _hold(path: str, data: object, schema: Mapping[str, Any]) -> None:
    for error in Draft202012Validator(schema).iter_errors(data):
        raise BundleError(f"{path}: {error.json_path}: {error.message}")


def _hold_rows(path: str, rows: list[dict[str, Any]]) -> None:
    """Hold rows against what a schema cannot say: an id stands once, a default is one of the choices."""
    seen = set()
    for row in rows:
        if row["id"] in seen:
            raise BundleError(f"{path}: the id {row['id']} stands twice")
        seen.add(row["id"])
        if "default" in row and row["default"] not in row["choices"]:
            expected = ", ".join(row["choices"])
            raise BundleError(f"{path}: {row['id']}: the default {row['default']} is none of {expected}")


if __name__ == "__main__":
    sys.exit(main())
