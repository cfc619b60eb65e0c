"""Reads YAML files into sources: plain data with positions, variables filled in, every problem noted."""

from collections.abc import Mapping
from pathlib import Path as FilePath

import yaml

from mlops_assets.config.parsing.builder import Builder
from mlops_assets.config.parsing.source import Source
from mlops_assets.config.parsing.yaml_syntax import compose, syntax_problem
from mlops_assets.config.problems import Problem, shown


def read_sources(path: FilePath, environment: Mapping[str, str], problems: list[Problem]) -> list[Source]:
    """The documents of a YAML file; what is no YAML is added to `problems`; a wrong value is the source's."""
    file = shown(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        problems.append(
            Problem(file, line, 1, "", f"is not UTF-8: {error.reason} at byte {error.start}", "save it as UTF-8")
        )
        return []
    return parse_sources(text, file, environment, problems)


def parse_sources(text: str, file: str, environment: Mapping[str, str], problems: list[Problem]) -> list[Source]:
    """The documents of a YAML text that is said to stand in `file`; empty documents are left out."""
    sources = []
    try:
        for node in compose(text):
            if node is not None and not _is_blank(node):
                sources += _source(node, text.splitlines(), file, environment, problems)
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
    node: yaml.Node, lines: list[str], file: str, environment: Mapping[str, str], problems: list[Problem]
) -> list[Source]:
    if not isinstance(node, yaml.MappingNode):
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        problems.append(Problem(file, line, column, "", "a document is a mapping of fields, 'name: value'"))
        return []
    builder = Builder(lines, file, environment, _declared(node))
    data = builder.build(node, ())
    return [Source(file, data, builder.places, tuple(builder.problems), tuple(builder.warnings))]


def _declared(root: yaml.MappingNode) -> dict[str, str]:
    """The raw texts of the document's `environment_vars`."""
    for key, value in root.value:
        if key.value == "environment_vars" and isinstance(value, yaml.MappingNode):
            return {name.value: text.value for name, text in value.value if isinstance(text, yaml.ScalarNode)}
    return {}
