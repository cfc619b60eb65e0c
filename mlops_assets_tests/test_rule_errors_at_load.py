"""Each kind of mistake in a rule, as `dagster definitions validate` and `check` print it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """\
source_path: raw/orders.csv
destination_path: shop.orders
columns: {id: int, amount: float, email: string}
validation_rules:
"""
TYPED = {"emial.str.contains('@') or email is null": "^^^^^    did you mean 'email'?", "amount > 'x'": "^^^"}
PARSED = {
    "email.str.match('(a')": "^^^^",
    "(amount > 1": "^",
    "email.str.lower.strip()": "^^^^^",
    "id = 3": "^    write '=='",
}
TOLD = [
    "parsed/data.yaml:6:33: rule 'rule_0': not a regular expression: missing ), unterminated subpattern",
    "parsed/data.yaml:8:17: rule 'rule_1': '(' is never closed",
    "parsed/data.yaml:10:33: rule 'rule_2': unknown method 'strip'",
    "parsed/data.yaml:12:20: rule 'rule_3': '=' is not an operator of rules",
    "typed/data.yaml:6:17: rule 'rule_0': unknown column 'emial'",
    "typed/data.yaml:8:26: rule 'rule_1': float and string cannot be compared",
]


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules") / "configs"
    for name, conditions in (("typed", TYPED), ("parsed", PARSED)):
        (folder / name).mkdir(parents=True)
        (folder / name / "pipeline.yaml").write_text(f"name: {name}\nowner: a@example.com\nenvironment: dev\n")
        rules = "".join(f'  - name: rule_{i}\n    condition: "{text}"\n' for i, text in enumerate(conditions))
        (folder / name / "data.yaml").write_text(HEAD + rules)
    return folder


def run(configs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = str(configs.parent / "home")
    environment = {**os.environ, "MLOPS_CONFIGS": ".", "MLOPS_HOME": home, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, cwd=configs, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [("mlops_assets", "check"), ("dagster", "definitions", "validate", "-m", "mlops_assets.definitions")],
    ids=["check", "validate"],
)
def test_every_kind_of_mistake_is_told_with_file_line_column_and_caret(configs: Path, arguments: tuple[str]) -> None:
    result = run(configs, *arguments)
    said = (result.stdout + result.stderr).splitlines()
    assert result.returncode == 1
    pictures = [(text, carets) for each in (PARSED, TYPED) for text, carets in each.items()]
    for message, (text, carets) in zip(TOLD, pictures, strict=True):
        (at,) = (number for number, line in enumerate(said) if line.endswith(message))
        assert said[at + 1] == f"    {text}"
        column = int(message.split(":")[2]) - 17 + 4
        assert said[at + 2].startswith(" " * column + carets)
