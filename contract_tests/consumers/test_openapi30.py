"""A tool that reads OpenAPI 3.0 alone reads the 3.0.4 form of every document: kin-openapi 0.132, in Go."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import toolchain

HERE = Path(__file__).parent / "openapi30"
SPEC = toolchain.ROOT / "spec"
DOCUMENTS = sorted(path.name.removesuffix(".openapi.yaml") for path in SPEC.glob("*.openapi.yaml"))
READ = ("go", "tool", "validate", "--")


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    toolchain.need("go")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(toolchain.ROOT / "scripts"))
        bundle = importlib.import_module("bundle")
    folder = tmp_path_factory.mktemp("forms")
    for name in DOCUMENTS:
        for form, content in bundle.document_forms(name, SPEC / f"{name}.openapi.yaml").items():
            (folder / f"{name}-{form.replace('-', '.')}").write_bytes(content)
    return folder


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_reads_the_derived_form(forms: Path, name: str, form: str) -> None:
    toolchain.build(*READ, forms / f"{name}-3.0.{form}", folder=HERE)


def test_it_does_not_read_the_document_itself(forms: Path) -> None:
    ran = toolchain.call(*READ, forms / "tencent-ci-3.1.yaml", folder=HERE)

    assert ran.returncode == 1
    assert "extra sibling fields" in ran.stderr
