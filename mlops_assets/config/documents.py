"""Reads YAML files into sources: plain data with positions, variables filled in, every problem noted."""

from collections.abc import Mapping
from pathlib import Path as FilePath

import yaml

from mlops_assets.config.builder import Builder
from mlops_assets.config.problems import Problem, shown
from mlops_assets.config.source import Source
from mlops_assets.config.yaml_syntax import compose, syntax_problem


def read_sources(
    path: FilePath, environment: Mapping[str, str], problems: list[Problem], warnings: list[str]
) -> list[Source]:
    """The documents of a YAML file; what is wrong with its syntax and variables is added to `problems`."""
    file = shown(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(Problem.of_file(file, f"is not UTF-8: {error.reason} at byte {error.start}"))
        return []
    return parse_sources(text, file, environment, problems, warnings)


def parse_sources(
    text: str, file: str, environment: Mapping[str, str], problems: list[Problem], warnings: list[str]
) -> list[Source]:
    """The documents of a YAML text that is said to stand in `file`; empty documents are left out."""
    sources = []
    try:
        for node in compose(text):
            if node is not None and not _is_blank(node):
                sources += _source(node, text.splitlines(), file, environment, problems, warnings)
    except yaml.YAMLError as error:
        problems.append(syntax_problem(error, text, file))
        return []
    except RecursionError:
        problems.append(Problem.of_file(file, "is nested too deeply"))
        return []
    return sources


def _is_blank(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and not node.value


def _source(
    node: yaml.Node,
    lines: list[str],
    file: str,
    environment: Mapping[str, str],
    problems: list[Problem],
    warnings: list[str],
) -> list[Source]:
    if not isinstance(node, yaml.MappingNode):
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        problems.append(Problem(file, line, column, "", "a document is a mapping of fields, 'name: value'"))
        return []
    builder = Builder(lines, file, environment, _declared(node))
    data = builder.build(node, ())
    problems += builder.problems
    warnings += builder.warnings
    return [Source(file, data, builder.places, frozenset(builder.refused))]


def _declared(root: yaml.MappingNode) -> dict[str, str]:
    """The raw texts of the document's `environment_vars`."""
    for key, value in root.value:
        if key.value == "environment_vars" and isinstance(value, yaml.MappingNode):
            return {name.value: text.value for name, text in value.value if isinstance(text, yaml.ScalarNode)}
    return {}
