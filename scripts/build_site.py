"""Build the documentation site; ``nox -s docs`` runs it, then looks at every page of it.

Takes the pages of ``docs/`` and ``spec/`` as they stand, makes others from the documents and the catalogue, and lets
Sphinx write it all to a folder that works from a file system: no server, no network. A warning is an error.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from docs_site.catalogue import facts, marked_tests, requirements, silent_points, vendor_pages
from docs_site.markdown import page
from docs_site.reference import reference
from docs_site.staging import Stage, section, with_source_labels
from sphinx.cmd.build import main as sphinx_build

from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue, read_yaml
from calloff.verify.selection import listing

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "docs" / "site"
DOCUMENTS = tuple(
    sorted(path.name.removesuffix(".openapi.yaml") for path in (ROOT / "spec").glob("*.openapi.yaml"))
)
# Pages taken as they stand, besides those that docs/site/ itself holds.
TAKEN = ("docs/*.md", "docs/languages/*.md", "spec/README.md", "spec/signing/README.md", "*.md")
NOT_TAKEN = {"README.md"}
FILES = ("docs/figures/*.svg", "spec/*.yaml")
STAND_INS = {
    **{f"spec/{name}.openapi.yaml": f"reference/{name}.md" for name in DOCUMENTS},
    "README.md": "index.md",
    "spec": "spec/README.md",
    "spec/signing": "spec/signing/README.md",
    "spec/requirements.yaml": "requirements.md",
    "spec/silent-points.yaml": "silent-points.md",
}


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
    sources = (ROOT / "spec" / "SOURCES.md").read_text("utf-8")
    site.take("spec/SOURCES.md", with_source_labels(sources))
    readme = (ROOT / "README.md").read_text("utf-8")
    site.take("README.md", page("Use it from Python", section(readme, "I write Python")), to="python.md")
    _contract_pages(site)


def _contract_pages(site: Stage) -> None:
    catalogue = load_catalogue()
    known = facts(catalogue, tuple(OPERATIONS))
    for name in DOCUMENTS:
        site.write(f"reference/{name}.md", reference(name, read_yaml(f"{name}.openapi.yaml"), known))
    rows, tests = listing(catalogue), marked_tests(ROOT / "tests")
    site.write("requirements.md", requirements(catalogue, rows, tests))
    site.write("vendor-pages.md", vendor_pages(read_yaml("requirements.yaml")["pages"]))
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
