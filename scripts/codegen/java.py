"""The generator of ``generated/java/``: openapi-generator with the HTTP client that Java brings along.

Its options leave ``cancel`` an argument: with ``autosetConstants`` the client would not send it at all. What is
the same for every document is written once, so that a program has one ``ApiClient`` and one ``ApiException``.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ruamel.yaml import YAML

from codegen.frame import DOCUMENTS, ROOT, SPEC, GenerationError, Language, marker, run, sha256, write

TOOL = "openapi-generator"
HERE = ROOT / "scripts" / "codegen" / TOOL
JAR = HERE / "target" / "openapi-generator-cli.jar"
JAR_SHA256 = "41ce4f6b07f196676439d710759fa1ced7a08066d06ff1bf314681470289efae"  # pragma: allowlist secret
PACKAGE = "calloff.clients"
SOURCES = Path("src", "main", "java")
OPTIONS = {
    "hideGenerationTimestamp": True,
    "openApiNullable": False,
    # Arguments with names: all of these are strings, and two of them are easily taken for each other.
    "useSingleRequestParameter": True,
    "useJakartaEe": True,
}
# What serves wrappers of alternatives and servers with variables, which the derived documents do not have.
UNUSED = {"AbstractOpenApiSchema.java", "JSON.java", "ServerConfiguration.java", "ServerVariable.java"}
# A client that is told no endpoint reaches nobody (RFC 2606).
ENDPOINT = "https://endpoint.invalid"
# A JVM that lives for seconds.
JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8")
# The text of the document at the head of every file, and the version of the tool.
NOISE = re.compile(r'\A/\*.*?\*/\s*|, comments = "Generator version: [^"]*"', re.DOTALL)

README_TEXT = """\
- `java/`: a Maven project with a package per document (`calloff.clients.tencentci`), for Java 11 and its own
  HTTP client. They check no id, have no timeout, read answers of any size, sign nothing, give an error as text
  and cannot read an answer in XML.
  [Use it from Java](../docs/languages/java.md) shows what to put around them.
"""


def generate(target: Path) -> dict[str, str]:
    """Write the project into the folder ``target``; return the versions of the tools."""
    install()
    generate_sources(
        {document: SPEC / f"{document}.openapi.yaml" for document in DOCUMENTS}, target / SOURCES
    )
    shutil.copyfile(HERE / "clients.xml", target / "pom.xml")
    return _pins()


def install() -> None:
    """Fetch the tool, unless it is there; raise GenerationError where it is another than the pinned one."""
    if not JAR.is_file() or sha256(JAR) != JAR_SHA256:
        run("mvn", "-B", "-q", "-f", HERE / "pom.xml", "dependency:copy-dependencies", what="mvn")
    if (found := sha256(JAR)) != JAR_SHA256:
        raise GenerationError(f"{JAR.name} has the digest {found}, but {JAR_SHA256} is pinned")


def generate_sources(sources: Mapping[str, Path], target: Path) -> None:
    """Write the code for the documents at these paths below the folder ``target``, in one run of the tool."""
    loader = YAML(typ="safe", pure=True)
    with tempfile.TemporaryDirectory(prefix="calloff-generate-") as folder:
        work = Path(folder)
        for document, source in sources.items():
            derived = without_alternatives(loader.load(source.read_text(encoding="utf-8")))
            write(work / f"{document}.json", json.dumps(derived, default=str))
            write(work / f"{document}.configuration", json.dumps(_configuration(work, document)))
        configurations = [work / f"{document}.configuration" for document in sources]
        batch = ("org.openapitools.codegen.OpenAPIGenerator", "batch", "--fail-fast", "--threads", "1")
        run(*JAVA, "-cp", JAR, *batch, *configurations, what=TOOL)
        for document in sources:
            _take(document, work / document / SOURCES, target)


def without_alternatives(document: dict[str, Any]) -> dict[str, Any]:
    """Copy a document without its servers and without the choices between bodies of errors.

    The tool makes an error a text whatever the document says; a choice would only give a class that nobody is
    handed. Of servers it builds in the first one.
    """

    def copy(node: Any) -> Any:
        if isinstance(node, list):
            return [copy(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {"type": "object"} if "anyOf" in node else {key: copy(value) for key, value in node.items()}

    return {**copy(document), "servers": [{"url": ENDPOINT}]}


def _configuration(work: Path, document: str) -> dict[str, Any]:
    package = _package(document)
    return {
        "generatorName": "java",
        "library": "native",
        "inputSpec": str(work / f"{document}.json"),
        "outputDir": str(work / document),
        "invokerPackage": PACKAGE,
        "apiPackage": package,
        "modelPackage": package,
        "additionalProperties": OPTIONS,
    }


def _take(document: str, produced: Path, target: Path) -> None:
    own = _folder(_package(document))
    for path in sorted(produced.rglob("*.java")):
        name = path.relative_to(produced)
        if name.name in UNUSED:
            continue
        shared = name.parent != own
        text = NOISE.sub("", path.read_text(encoding="utf-8"))
        text = marker(TOOL, None if shared else document, "//") + text.rstrip() + "\n"
        written = target / name
        if shared and written.is_file() and written.read_text(encoding="utf-8") != text:
            raise GenerationError(f"{TOOL} wrote another {name} for {document}; it cannot be shared")
        written.parent.mkdir(parents=True, exist_ok=True)
        write(written, text)
    if not any((target / own).glob("*Api.java")):
        raise GenerationError(f"{document} gave a client without operations")


def _package(document: str) -> str:
    return f"{PACKAGE}.{document.replace('-', '')}"


def _folder(package: str) -> Path:
    return Path(*package.split("."))


def _pins() -> dict[str, str]:
    names = {"": "http://maven.apache.org/POM/4.0.0"}
    project = ElementTree.parse(HERE / "pom.xml")  # noqa: S314  (a file of this repository)
    dependency = project.find("dependencies/dependency", names)
    version = None if dependency is None else dependency.findtext("version", namespaces=names)
    return {TOOL: version or ""}


LANGUAGE = Language(generate, README_TEXT, programs=("java", "mvn"))
