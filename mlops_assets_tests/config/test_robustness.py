"""Whatever is written, loading ends in a project or in a ConfigError that says where."""

import os
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.config import ConfigError, Problem, load_project
from mlops_assets_tests.config.documents import EXAMPLES

SPOILERS = (
    "",
    "[]",
    "{}",
    "null",
    "true",
    "-1",
    "1e400",
    ".nan",
    "'x",
    "${",
    "${X}",
    "[a, {b: c}]",
    "x: y",
    "&a",
    "*a",
    "\t",
)
KEYS = ("type", "0", "? a", "<<", "features", "on", "''", "- a", "🜁")


@settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_spoilt_documents_are_refused_with_a_place(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "churn"
    folder.mkdir(exist_ok=True)
    for kind, text in EXAMPLES.items():
        (folder / f"{kind}.yaml").write_text(text)
    kind = data.draw(st.sampled_from(sorted(EXAMPLES)))
    lines = EXAMPLES[kind].splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        key, colon, value = lines[number].partition(": ")
        if data.draw(st.booleans()):
            value = data.draw(st.sampled_from(SPOILERS) | st.text(max_size=8))
        else:
            key = key[: len(key) - len(key.lstrip())] + data.draw(st.sampled_from(KEYS))
        lines[number] = key + (colon or ": ") + value
    (folder / f"{kind}.yaml").write_text("\n".join(lines), encoding="utf-8", errors="replace")
    with mock.patch.dict(os.environ, {"SLACK_WEBHOOK_URL": "https://hooks.example.com/s3cr3t"}):
        said = problems_of(folder)
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in said)
    assert not any("s3cr3t" in str(problem) for problem in said)


def problems_of(folder: Path) -> tuple[Problem, ...]:
    try:
        load_project(folder)
    except ConfigError as error:
        return error.problems
    return ()
