"""Every command of the documentation exists, with its options."""

import re
import shlex
import tomllib

import click
import pytest

from mlops_assets.cli.commands import main
from mlops_assets.serving.__main__ import main as serving
from mlops_assets.training.__main__ import main as training
from mlops_assets_tests.docs.blocks import ROOT, Block, every

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
GROUPS = {"mlops_assets": main, "mlops_assets.serving": serving, "mlops_assets.training": training}
# Held by test_component.py, which runs them.
DG = {("check", "defs"), ("check", "yaml"), ("list", "defs"), ("list", "components"), ("scaffold", "defs"), ("launch",)}
PLAIN = {"echo", "export", "mkdir", "cat", "source", "docker", "databricks", "git", "psql", "pre-commit", "curl"}


def lines_of(block: Block) -> list[list[str]]:
    """The block's commands as words, without what stands in a here-document."""
    text = re.sub(r"<<'EOF'\n.*?\nEOF\n", "\n", block.text, flags=re.S).replace("\\\n", " ")
    commands = [part for line in text.splitlines() for part in line.split("&&")]
    return [words for command in commands if (words := shlex.split(command, comments=True))]


def parse(command: click.Group, words: list[str]) -> None:
    """Raises click's error where the words are no command of the group."""
    name, found, rest = command.resolve_command(click.Context(command), words)
    assert found is not None
    found.make_context(name, rest, resilient_parsing=False)


@pytest.mark.parametrize("block", every("bash"), ids=str)
def test_a_command_of_the_documentation_exists(block: Block) -> None:
    for words in lines_of(block):
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        match words:
            case []:
                continue
            case ["make", *targets]:
                assert {each for each in targets if "=" not in each} <= TARGETS
            case ["python", "-m", module, *rest] if module in GROUPS:
                parse(GROUPS[module], rest) if rest[0] != "predict" else None
            case ["python", "-m", "mlops_assets.serving.gateway" | "mlops_assets.config", *_]:
                continue
            case ["dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", job, *_]:
                assert re.fullmatch(r"\w+_(pipeline|monitor|retrain|replay_quarantine|maintenance)", job)
            case ["dagster", "dev", *_]:
                continue
            case ["dg", *rest]:
                assert tuple(rest[:2]) in DG or tuple(rest[:1]) in DG
            case ["pip", "install", *packages]:
                named = re.findall(r"mlops-assets\[([\w,]+)\]", " ".join(packages))
                assert {extra for each in named for extra in each.split(",")} <= EXTRAS
            case _:
                assert words[0] in PLAIN, f"{block}: {words}"
