"""Build the documentation site; ``nox -s docs`` runs it, then looks at every page of it.

Takes the pages of ``docs/`` and ``spec/`` as they stand, makes others from the documents and the catalogue, and lets
Sphinx write it all to a folder that works from a file system: no server, no network. A warning is an error.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docs_site.catalogue import facts, marked_tests, requirements, silent_points, vendor_pages
from docs_site.figures import with_client_charts, with_mock_chart, with_suite_chart
from docs_site.markdown import code, download, heading, page
from docs_site.python import python_api
from docs_site.reference import index, reference
from docs_site.signing import with_stages
from docs_site.staging import Stage, section, source_titles, with_files_linked, with_source_labels
from sphinx.cmd.build import main as sphinx_build

import calloff
from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue, read_yaml
from calloff.verify.selection import listing

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "docs" / "site"
DOCUMENTS = tuple(
    sorted(path.name.removesuffix(".openapi.yaml") for path in (ROOT / "spec").glob("*.openapi.yaml"))
)
# Pages taken as they stand, besides those that docs/site/ itself holds.
TAKEN = ("docs/*.md", "docs/languages/*.md", "*.md")
NOT_TAKEN = {"README.md"}
FILES = ("docs/figures/*.svg", "spec/*.yaml", "spec/signing/*.json")
STAND_INS = {
    **{f"spec/{name}.openapi.yaml": f"reference/{name}.md" for name in DOCUMENTS},
    "README.md": "index.md",
    "spec": "spec/README.md",
    "spec/signing": "spec/signing/README.md",
    "spec/requirements.yaml": "requirements.md",
    "spec/silent-points.yaml": "silent-points.md",
    "docs/figures/clients.md": "benchmarks.md",
}
# Title, page and section of figures, and what puts charts into their text.
FIGURES = (
    ("Clients, and many cancels at once", "docs/figures/clients.md", "", with_client_charts),
    ("The suite", "docs/verify.md", "Why believe it", with_suite_chart),
    ("The mock", "docs/mock.md", "Figures", with_mock_chart),
)


def stage(folder: Path) -> None:
    """Lay out the source of the site in *folder*, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SITE, folder, ignore=shutil.ignore_patterns("node_modules", "calculator", "*.json"))
    site = Stage(ROOT, folder, STAND_INS)
    site.copy(path.relative_to(ROOT).as_posix() for pattern in FILES for path in sorted(ROOT.glob(pattern)))
    for pattern in TAKEN:
        for path in sorted(ROOT.glob(pattern)):
            if (name := path.relative_to(ROOT).as_posix()) not in NOT_TAKEN:
                site.take(name)
    for name, linked in (("spec", _file_link), ("spec/signing", _vector_link)):
        text = (ROOT / name / "README.md").read_text("utf-8")
        site.take(f"{name}/README.md", with_files_linked(text, linked))
    sources = (ROOT / "spec" / "SOURCES.md").read_text("utf-8")
    site.take("spec/SOURCES.md", with_source_labels(sources))
    readme = (ROOT / "README.md").read_text("utf-8")
    site.take("README.md", page("Use it from Python", section(readme, "I write Python")), to="python.md")
    site.write("python-api.md", python_api(calloff.__all__))
    _contract_pages(site)
    _benchmarks(site)
    site.write("signing.md", with_stages((SITE / "signing.md").read_text("utf-8"), _vectors))
    _calculator(folder / "static" / "calculator.js")


def _file_link(name: str) -> str:
    return f"[{code(name)}]({name})" if (ROOT / "spec" / name).exists() else code(name)


def _vector_link(name: str) -> str:
    return download(f"spec/signing/{name}") if (ROOT / "spec" / "signing" / name).exists() else code(name)


def _benchmarks(site: Stage) -> None:
    parts = [(SITE / "benchmarks.md").read_text("utf-8")]
    for title, path, part, draw in FIGURES:
        text = (ROOT / path).read_text("utf-8")
        shown = section(text, part) if part else text
        parts += [heading(2, title), site.relinked(draw(shown), path)]
    site.write("benchmarks.md", "\n".join(parts))


def _vectors(algorithm: str) -> list[dict[str, Any]]:
    text = (ROOT / "spec" / "signing" / f"{algorithm}.json").read_text("utf-8")
    return json.loads(text)["cases"]  # type: ignore[no-any-return]


def _calculator(target: Path) -> None:
    if not (SITE / "node_modules").is_dir():
        raise SystemExit("the calculator needs esbuild: run `npm ci` in docs/site first")
    command = ["npm", "run", "--silent", "build", "--", f"--outfile={target}"]
    subprocess.run(command, cwd=SITE, check=True)


def _contract_pages(site: Stage) -> None:
    catalogue = load_catalogue()
    known = facts(catalogue, tuple(OPERATIONS))
    documents = {name: read_yaml(f"{name}.openapi.yaml") for name in DOCUMENTS}
    site.write("reference/index.md", index(documents))
    for name, document in documents.items():
        site.write(f"reference/{name}.md", reference(name, document, known))
    rows, tests = listing(catalogue), marked_tests(ROOT / "tests")
    site.write("requirements.md", requirements(catalogue, rows, tests))
    titles = source_titles((ROOT / "spec" / "SOURCES.md").read_text("utf-8"))
    site.write("vendor-pages.md", vendor_pages(read_yaml("requirements.yaml")["pages"], titles))
    site.write("silent-points.md", silent_points(read_yaml("silent-points.yaml")["silent_points"]))


def build(source: Path, output: Path) -> int:
    """Let Sphinx write the site; give its exit status."""
    shutil.rmtree(output, ignore_errors=True)
    doctrees = source.parent / "site-doctrees"
    shutil.rmtree(doctrees, ignore_errors=True)
    options = ["-b", "html", "-q", "-W", "--keep-going", "-j", "2", "-d", str(doctrees)]
    return sphinx_build([*options, str(source), str(output)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the site into the folder that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "site", help="default: build/site")
    output: Path = parser.parse_args(arguments).output.resolve()
    source = output.parent / "site-source"
    stage(source)
    status = build(source, output)
    if status == 0:
        print(f"{output / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
