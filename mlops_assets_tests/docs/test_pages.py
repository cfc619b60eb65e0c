"""The site builds without a warning, its words are the program's, and its Python runs."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mlops_assets.config.parsing.kinds import ALL_MODELS
from mlops_assets.config.reference import reference_page
from mlops_assets_tests.docs.blocks import ROOT, Block, every

TUTORIAL = ROOT / "docs" / "tutorial.md"
RUN_AS_A_WHOLE = {TUTORIAL, ROOT / "README.md"}
ALONE = [block for block in every("python") if block.page not in RUN_AS_A_WHOLE]


def test_the_site_builds_strictly_and_no_link_is_broken(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reference" / "training" / "index.html").exists()


@pytest.mark.parametrize("kind", ALL_MODELS)
def test_the_reference_has_every_field_with_its_meaning(kind: str) -> None:
    page = reference_page(kind)
    for name, field in ALL_MODELS[kind].model_fields.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert field.description
        assert field.description.replace("|", "\\|")[:40] in row
        assert ("**required**" in row) == field.is_required()


def phrases() -> list[str]:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| `(.+?)`", page, re.M)
    return [part.strip(" ,'") for cell in cells for part in cell.split("…") if len(part.strip(" ,'")) > 5]


def test_every_message_of_the_troubleshooting_page_is_one_of_the_program() -> None:
    sources = [*(ROOT / "mlops_assets").rglob("*.py"), *(ROOT / "mlops_assets_tests").glob("*.py"), ROOT / "Makefile"]
    said = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    plain = re.sub(r'"\s*\n\s*f?"|\{[^}]*\}', " ", said)
    missing = [each for each in phrases() if each not in said and each not in re.sub(r"\s+", " ", plain)]
    assert not missing


@pytest.mark.parametrize("block", ALONE, ids=str)
def test_python_of_the_documentation_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLOPS_CONFIGS", str(ROOT / "configs"))
    (tmp_path / "block.py").write_text(block.text, encoding="utf-8")
    runpy.run_path("block.py", run_name="__main__")


def test_the_picture_of_the_layers_is_that_which_the_linter_holds() -> None:
    lines = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    picture = [re.split(r"\s{2,}", line.strip())[0] for line in lines if re.match(r"    [a-z]", line)]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    assert picture == [layer.replace("mlops_assets.", "").removeprefix("__main__ : ") for layer in layers]
