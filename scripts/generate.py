"""Write the Python clients under ``generated/`` from the documents in ``spec/``, or check them.

``python scripts/generate.py`` writes; with ``--check`` the same code generates into a temporary folder, lists
every file that differs and exits with 1. The tools come from the ``generate`` group of pyproject.toml;
nothing is installed here.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "tencent_ci": "spec/tencent-ci.openapi.yaml",
    "otc_dli": "spec/otc-dli.openapi.yaml",
    "huaweicloud_dli": "spec/huaweicloud-dli.openapi.yaml",
    "tencent_ci_status": "spec/tencent-ci-status.openapi.yaml",
    "otc_dli_status": "spec/otc-dli-status.openapi.yaml",
    "huaweicloud_dli_status": "spec/huaweicloud-dli-status.openapi.yaml",
}
TOOLS = ("openapi-python-client", "ruff")
COMMAND = "nox -s generate"
TEMPLATES = ROOT / "scripts" / "generator_templates"
CONFIGURATION = ROOT / "scripts" / "generator.yaml"
TEMPLATE = "endpoint_module.py.jinja"
# Digest of the tool's own template that is overridden; the override differs in how it writes a path segment.
UPSTREAM_TEMPLATE_SHA256 = (
    "c1b2628053eb4875ba59566baa5ae907666f9cbfafa308d93f970a4404b7cd52"  # pragma: allowlist secret
)
PYTHON = Path("python") / "calloff_clients"
MANIFEST = Path("MANIFEST.json")
README = Path("README.md")
RUFF = ("--isolated", "--no-cache", "--target-version", "py311", "--line-length", "120")

README_TEXT = f"""# Generated code: do not edit

`{COMMAND}` writes everything here from the documents in `spec/`; `{COMMAND} -- --check` tells whether it
is current. A change belongs into the document, into `scripts/generator.yaml` or, where neither can say it,
into the wrapper in `src/calloff/`.

- `python/calloff_clients/`: one package per document. They refuse dot and empty path segments, by the one
  template in `scripts/generator_templates/`, and nothing else: no timeout, no patterns, no signing. Programs
  want `calloff.clients`.
- `MANIFEST.json`: digests of the documents and of every file, and the versions of the tools.
"""

PACKAGE_TEXT = '"""Raw clients, one package per document of calloff; programs want calloff.clients."""\n'


class GenerationError(Exception):
    """Something that a person has to look at before code can be generated."""


def main(arguments: list[str] | None = None) -> int:
    """Write or check ``generated/``; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 on a difference")
    parser.add_argument("--target", type=Path, default=ROOT / "generated", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="calloff-generate-") as folder:
            fresh = Path(folder) / "generated"
            generate(fresh)
            differences = compare(fresh, options.target)
            if not options.check:
                replace(fresh, options.target)
    except GenerationError as error:
        print(f"generate: {error}", file=sys.stderr)
        return 1
    for difference in differences:
        print(difference)
    if options.check and differences:
        print(
            f"generate: {len(differences)} files differ from what spec/ gives; run {COMMAND}", file=sys.stderr
        )
        return 1
    print(f"generate: {'nothing to do' if not differences else f'{len(differences)} files written'}")
    return 0


def generate(target: Path) -> None:
    """Write the complete tree, manifest included, into the folder ``target``, which must not exist yet."""
    versions = check_tools()
    check_template()
    package_root = target / PYTHON
    package_root.mkdir(parents=True)
    for package, document in PACKAGES.items():
        generate_package(package, ROOT / document, package_root / package)
    _write(package_root / "__init__.py", PACKAGE_TEXT)
    _write(package_root / "py.typed", "")
    _format(package_root)
    for path in sorted(package_root.rglob("*.py")):
        package = path.relative_to(package_root).parts[0]
        _write(path, marker(PACKAGES.get(package, "spec/")) + path.read_text(encoding="utf-8"))
    _write(target / README, README_TEXT)
    _write(target / MANIFEST, json.dumps(manifest(target, versions), indent=2, sort_keys=True) + "\n")


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
        _run(
            "openapi_python_client", "generate",
            "--path", str(source),
            "--output-path", str(output),
            "--meta", "uv",
            "--config", str(configuration),
            "--custom-template-path", str(TEMPLATES),
            "--fail-on-warning",
            what=f"openapi-python-client, reading {document.name},",
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


def marker(document: str) -> str:
    """Write the first line of a generated file; without a version, so a tool update touches few files."""
    return f"# Generated by openapi-python-client from {document}. Do not edit; run: {COMMAND}\n"


def manifest(target: Path, versions: dict[str, str]) -> dict[str, Any]:
    """Describe the tree in ``target``: digests of the documents and of all files, versions of the tools."""
    return {
        "documents": {document: sha256(ROOT / document) for document in PACKAGES.values()},
        "files": {
            path.relative_to(target).as_posix(): sha256(path)
            for path in sorted(target.rglob("*"))
            if path.is_file() and path != target / MANIFEST
        },
        "tools": versions,
    }


def compare(fresh: Path, current: Path) -> list[str]:
    """List what differs between two trees: missing, stale or orphaned files, one line each."""
    wanted, present = _files(fresh), _files(current)
    return [
        *(f"missing  {name}" for name in sorted(wanted - present)),
        *(
            f"differs  {name}"
            for name in sorted(wanted & present)
            if _bytes(fresh, name) != _bytes(current, name)
        ),
        *(f"orphaned {name}" for name in sorted(present - wanted)),
    ]


def replace(fresh: Path, current: Path) -> None:
    """Make ``current`` equal to ``fresh``, orphans removed; files that are equal already are not touched."""
    wanted, present = _files(fresh), _files(current)
    for name in sorted(present - wanted):
        (current / name).unlink()
    for name in sorted(wanted):
        if name not in present or _bytes(fresh, name) != _bytes(current, name):
            (current / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fresh / name, current / name)


def sha256(path: Path) -> str:
    """Digest a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files(root: Path) -> set[str]:
    """Name the files that this script answers for: its own two and all of ``python/``, caches apart."""
    own = {name for name in (MANIFEST.as_posix(), README.as_posix()) if (root / name).is_file()}
    return own | {
        path.relative_to(root).as_posix()
        for path in (root / "python").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _bytes(root: Path, name: str) -> bytes:
    return (root / name).read_bytes()


def _format(folder: Path) -> None:
    _run(
        "ruff", "check", *RUFF, "--quiet", "--fix-only", "--select", "F,I,UP", str(folder), what="ruff check"
    )
    _run("ruff", "format", *RUFF, "--quiet", str(folder), what="ruff format")


def _run(module: str, *arguments: str, what: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise GenerationError(f"{what} failed:\n{result.stdout}{result.stderr}")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
