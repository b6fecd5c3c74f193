"""The generator of ``generated/python/``: openapi-python-client with one template of its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from codegen.frame import (
    COMMAND,
    DOCUMENTS,
    ROOT,
    GenerationError,
    Language,
    document_name,
    marker,
    run,
    sha256,
    write,
)

TOOL = "openapi-python-client"
TOOLS = (TOOL, "ruff")
TEMPLATES = ROOT / "scripts" / "generator_templates"
CONFIGURATION = ROOT / "scripts" / "generator.yaml"
TEMPLATE = "endpoint_module.py.jinja"
# Digest of the tool's own template that is overridden; the override differs in how it writes a path segment.
UPSTREAM_TEMPLATE_SHA256 = (
    "c1b2628053eb4875ba59566baa5ae907666f9cbfafa308d93f970a4404b7cd52"  # pragma: allowlist secret
)
RUFF = ("--isolated", "--no-cache", "--target-version", "py311", "--line-length", "120")

README_TEXT = """\
- `python/calloff_clients/`: one package per document. They refuse dot and empty path segments, by the one
  template in `scripts/generator_templates/`, and nothing else: no timeout, no patterns, no signing. Programs
  want `calloff.clients`.
"""
PACKAGE_TEXT = '"""Raw clients, one package per document of calloff; programs want calloff.clients."""\n'


def generate(target: Path) -> dict[str, str]:
    """Write the package ``calloff_clients`` into the folder ``target``; return the versions of the tools."""
    versions = check_tools()
    check_template()
    package_root = target / "calloff_clients"
    package_root.mkdir()
    packages = {document.replace("-", "_"): document for document in DOCUMENTS}
    for package, document in packages.items():
        generate_package(package, ROOT / document_name(document), package_root / package)
    write(package_root / "__init__.py", PACKAGE_TEXT)
    write(package_root / "py.typed", "")
    _module("ruff", "check", *RUFF, "-q", "--fix-only", "--select", "F,I,UP", package_root, what="ruff check")
    _module("ruff", "format", *RUFF, "-q", package_root, what="ruff format")
    for path in sorted(package_root.rglob("*.py")):
        package = path.relative_to(package_root).parts[0]
        write(path, marker(TOOL, packages.get(package)) + path.read_text(encoding="utf-8"))
    return versions


def generate_package(package: str, document: Path, target: Path) -> None:
    """Generate one package from one document into the folder ``target``; warnings of the tool are errors."""
    if not document.is_file():
        raise GenerationError(f"{document} is missing; the client {package} is generated from it")
    loader = YAML(typ="safe", pure=True)
    with tempfile.TemporaryDirectory(prefix="calloff-generate-") as folder:
        work = Path(folder)
        source = work / "openapi.json"
        derived = without_xml_bodies(loader.load(document.read_text(encoding="utf-8")))
        source.write_text(json.dumps(derived, default=str), encoding="utf-8")
        configuration = work / "configuration.json"
        settings = loader.load(CONFIGURATION.read_text(encoding="utf-8"))
        configuration.write_text(json.dumps({**settings, "package_name_override": package}), encoding="utf-8")
        output = work / "output"
        _module(
            "openapi_python_client", "generate",
            "--path", source,
            "--output-path", output,
            "--meta", "uv",
            "--config", configuration,
            "--custom-template-path", TEMPLATES,
            "--fail-on-warning",
            what=f"{TOOL}, reading {document.name},",
        )  # fmt: skip
        shutil.copytree(output / package, target)
    if not any(target.glob("api/*/*.py")):
        raise GenerationError(f"{document.name} gave a client without operations")


def check_tools() -> dict[str, str]:
    """Return the versions of the tools; raise GenerationError unless they are the pinned ones."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = dict(line.split("==") for line in pyproject["dependency-groups"]["generate"])
    for tool in TOOLS:
        try:
            found = metadata.version(tool)
        except metadata.PackageNotFoundError:
            found = "not installed"
        if found != pins[tool]:
            raise GenerationError(
                f"{tool} must be {pins[tool]}, as pyproject.toml pins it, but is {found}; run {COMMAND}"
            )
    return pins


def check_template(upstream: Path | None = None) -> None:
    """Raise GenerationError where the tool's own copy of the overridden template is not the known one."""
    if upstream is None:
        specification = importlib.util.find_spec("openapi_python_client")
        if specification is None or specification.origin is None:
            raise GenerationError(f"openapi-python-client is not installed; run {COMMAND}")
        upstream = Path(specification.origin).parent / "templates" / TEMPLATE
    found = sha256(upstream)
    if found != UPSTREAM_TEMPLATE_SHA256:
        raise GenerationError(
            f"openapi-python-client changed its template {TEMPLATE} (sha256 {found}, expected "
            f"{UPSTREAM_TEMPLATE_SHA256}): carry the change over to {TEMPLATES.name}/{TEMPLATE}, keep "
            "_path_segment in it, then update UPSTREAM_TEMPLATE_SHA256"
        )


def without_xml_bodies(document: dict[str, Any]) -> dict[str, Any]:
    """Copy an OpenAPI document without its XML response bodies, which the generator cannot read.

    Only responses lose something, in operations and in components; a ``content`` that ends up empty goes too.
    """
    responses = [
        *document.get("components", {}).get("responses", {}).values(),
        *(
            response
            for path in document.get("paths", {}).values()
            for operation in path.values()
            if isinstance(operation, dict)
            for response in operation.get("responses", {}).values()
        ),
    ]
    touched = {id(response) for response in responses}

    def copy(node: Any) -> Any:
        if isinstance(node, list):
            return [copy(item) for item in node]
        if not isinstance(node, dict):
            return node
        members = {key: copy(value) for key, value in node.items()}
        if id(node) in touched and "content" in members:
            members["content"].pop("application/xml", None)
            if not members["content"]:
                del members["content"]
        return members

    copied: dict[str, Any] = copy(document)
    return copied


def _module(name: str, *arguments: str | Path, what: str) -> None:
    run(sys.executable, "-W", "error", "-m", name, *arguments, what=what)


LANGUAGE = Language(generate, README_TEXT)
