from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.config.parsing.documents import parse_sources
from mlops_assets.config.parsing.substitution import SubstitutionError, substitute, variables

ENVIRONMENT = {"HOST": "example.com", "EMPTY": "", "N": "7"}
DECLARED = {
    "REGION": "${REGION:-us-west}",
    "URL": "https://${HOST}/${REGION}",
    "HOST": "declared",
    "A": "${B}",
    "B": "${A}",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${HOST}", "example.com"),
        ("a ${HOST} b ${N}", "a example.com b 7"),
        ("${UNSET:-x}", "x"),
        ("${UNSET:x}", "x"),
        ("${UNSET:-}", ""),
        ("${UNSET:}", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", ""),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${UNSET:https://x}", "https://x"),
        ("$$", "$"),
        ("$${HOST}", "${HOST}"),
        ("$HOST ^\\d+$", "$HOST ^\\d+$"),
        ("${URL}", "https://example.com/us-west"),
        ("${REGION}", "us-west"),
        ("x${secret:scope/key}", "x${secret:scope/key}"),
    ],
)
def test_references_are_filled_in(text: str, filled: str) -> None:
    assert substitute(text, variables(ENVIRONMENT, DECLARED)) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${UNSET}", "environment variable 'UNSET' is not set"),
        ("${A}", "environment variable 'A' is not set"),
        ("${secret:no-key}", "is no reference to a secret"),
        ("${HOST", "is no reference"),
        ("${}", "is no reference"),
        ("${1A}", "is no reference"),
        ("${A B}", "is no reference"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(text: str, message: str) -> None:
    with pytest.raises(SubstitutionError, match=message):
        substitute(text, variables(ENVIRONMENT, DECLARED))


@settings(derandomize=True, max_examples=200)
@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_text_without_a_dollar_is_kept_and_a_doubled_dollar_is_one(text: str) -> None:
    assert substitute(text, variables({}, {})) == text
    assert substitute(f"{text}$${text}", variables({}, {})) == f"{text}${text}"


def read(text: str, environment: dict[str, str]) -> tuple[dict[str, Any], list[str], list[str]]:
    (source,) = parse_sources(text, "x.yaml", environment, [])
    problems, warnings = [str(each) for _, each in source.problems], [each for _, each in source.warnings]
    return source.data, problems, warnings


def test_an_unset_variable_is_named_with_file_and_line() -> None:
    _, problems, _ = read("a: 1\nb: 'x ${NOPE}'\n", {})
    assert problems == ["x.yaml:2:4: b: environment variable 'NOPE' is not set; set it, or write ${NOPE:-default}"]


def test_the_process_goes_before_the_documents_variables() -> None:
    text = "environment_vars: {REGION: here}\na: ${REGION}\n"
    assert read(text, {})[0]["a"] == "here"
    assert read(text, {"REGION": "there"})[0]["a"] == "there"


@pytest.mark.parametrize("text", ["$DATA/raw", "raw/$DATA", "${N}/$DATA/raw"])
def test_a_variable_without_braces_in_a_path_is_refused(text: str) -> None:
    _, problems, _ = read(f"a: '^{text}$'\nsource_path: {text}\n", ENVIRONMENT)
    assert problems == [
        "x.yaml:2:14: source_path: '$DATA' has no braces, so it is not replaced by the variable's value; "
        "write ${DATA}, or $$DATA for a dollar and a name"
    ]


def test_a_doubled_dollar_in_a_path_is_one_dollar() -> None:
    assert read("source_path: raw/$$DATA\n", {}) == ({"source_path": "raw/$DATA"}, [], [])


def test_a_plain_value_has_the_type_of_what_is_filled_in() -> None:
    assert read("a: ${N}\nb: '${N}'\nc: ${N:-true}\n", {"N": "7"})[0] == {"a": 7, "b": "7", "c": 7}


CHANNELS = """\
alerting:
  notification_channels:
    - type: slack
      webhook: "${HOOK}"
    - type: email
      recipients: ["a@example.com"]
"""


@pytest.mark.parametrize("environment", [{}, {"HOOK": ""}])
def test_an_alert_channel_without_its_secret_is_off_with_one_warning(environment: dict[str, str]) -> None:
    data, problems, warnings = read(CHANNELS, environment)
    assert [channel["type"] for channel in data["alerting"]["notification_channels"]] == ["email"]
    assert problems == []
    assert warnings == ["x.yaml:4: this alert channel is off: environment variable 'HOOK' is not set"]


def test_an_alert_channel_whose_recipients_are_unset_is_an_error() -> None:
    _, problems, warnings = read(CHANNELS.replace("a@example.com", "${WHO}"), {"HOOK": "https://x"})
    assert [line.split(": ")[1] for line in problems] == ["alerting.notification_channels.1.recipients.0"]
    assert warnings == []
