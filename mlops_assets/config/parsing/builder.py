"""Turns the nodes of one YAML document into data, and notes where each value stands."""

from collections.abc import Mapping
from typing import Any

import yaml

from mlops_assets.config.alert_channels import SECRET_FIELDS
from mlops_assets.config.parsing.source import Path, Place, Position
from mlops_assets.config.parsing.substitution import (
    SubstitutionError,
    substitute,
    unbraced_reference,
    variables,
)
from mlops_assets.config.parsing.yaml_syntax import core_value
from mlops_assets.config.problems import Problem

MOST_VALUES = 50_000
_TEXT_TAG = "tag:yaml.org,2002:str"
_TAGS = {"", "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))}
_CHANNELS: Path = ("alerting", "notification_channels")
_LOCATIONS = ("path", "table", "tables", "dataset", "volume", "wheel", "host", "url", "uri")  # ends of such fields


class ChannelOffError(Exception):
    """The alert channel being built is switched off: its secret is not set."""

    def __init__(self, variable: str, line: int) -> None:
        super().__init__(variable)
        self.variable, self.line = variable, line


class Builder:
    """Turns one document's nodes into data, and notes where each value stands."""

    def __init__(
        self, lines: list[str], file: str, environment: Mapping[str, str], declared: Mapping[str, str]
    ) -> None:
        self.lines, self.file = lines, file
        self.lookup = variables(environment, declared)
        self.places: dict[Path, Place] = {}
        self.problems: list[tuple[Path, Problem]] = []
        self.warnings: list[tuple[Path, str]] = []
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: Path, key: Position | None = None) -> Any:
        """The data of a node; a node that holds itself, and data that grows too large, are refused."""
        if id(node) in self._open or len(self.places) >= MOST_VALUES:
            reason = "holds itself" if id(node) in self._open else f"has more than {MOST_VALUES} values"
            raise yaml.composer.ComposerError(None, None, reason, node.start_mark)
        if node.tag not in _TAGS:
            self._refuse(self._position(node), path, f"the tag {node.tag} is not accepted", "leave it out")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, path, key)
            self.places[path] = Place(self._position(node), key)
            if isinstance(node, yaml.SequenceNode):
                return self._list(node, path)
            return self._mapping(node, path) if isinstance(node, yaml.MappingNode) else None
        finally:
            self._open.discard(id(node))

    def _position(self, node: yaml.Node) -> Position:
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _refuse(self, position: Position, path: Path, message: str, hint: str = "") -> None:
        self.problems.append((path, position.problem(path, message, hint)))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        first_lines: dict[Any, int] = {}
        for key_node, value_node in self._merged(node):
            position = self._position(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(
                    position,
                    path,
                    "a key is a text, not a list or mapping",
                    "{{..}} is no variable: ${..} is",
                )
                continue
            name = _key(key_node)
            if isinstance(name, str) and not key_node.style and name != name.strip():
                self._refuse(position, path, f"a space before '{name.strip()}' is no plain one", "type it again")
                continue
            if name in first_lines:
                hint = f"the first stands on line {first_lines[name]}"
                self._refuse(position, (*path, name), "this field is given twice", hint)
                continue
            first_lines[name] = position.line
            data[name] = self.build(value_node, (*path, name), position)
        return data

    def _merged(self, node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs of a mapping, those of `<<: *other` last and only where they are not given anew."""
        own = [(key, value) for key, value in node.value if key.value != "<<"]
        names = {key.value for key, _ in own if isinstance(key, yaml.ScalarNode)}
        for key, value in node.value:
            if key.value == "<<":
                others = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for other in others:
                    pairs = self._merged(other) if isinstance(other, yaml.MappingNode) else []
                    own += [(k, v) for k, v in pairs if k.value not in names]
                    names |= {k.value for k, _ in pairs}
        return own

    def _list(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        items: list[Any] = []
        for item in node.value:
            try:
                items.append(self.build(item, (*path, len(items))))
            except ChannelOffError as skipped:
                self._forget((*path, len(items)))
                message = f"this alert channel is off: environment variable '{skipped.variable}' is not set"
                self.warnings.append((path, f"{self.file}:{skipped.line}: {message}"))
        return items

    def _forget(self, path: Path) -> None:
        self.places = {at: place for at, place in self.places.items() if at[: len(path)] != path}
        self.problems = [(at, problem) for at, problem in self.problems if at[: len(path)] != path]

    def _scalar(self, node: yaml.ScalarNode, path: Path, key: Position | None) -> Any:
        position = self._position(node)
        text = self._filled(node.value, path, position)
        self.places[path] = Place(position, key, text, self._text_start(node))
        return text if node.style or node.tag == _TEXT_TAG else core_value(text)

    def _filled(self, text: str, path: Path, position: Position) -> str:
        if "$" not in text:
            return text
        self._refuse_unbraced(text, path, position)
        is_secret = path[-4:-2] == _CHANNELS and path[-1] in SECRET_FIELDS
        try:
            filled = substitute(text, self.lookup)
        except SubstitutionError as error:
            if is_secret and error.unset:
                raise ChannelOffError(error.unset, position.line) from None
            self._refuse(position, path, error.message, error.hint)
            return text
        if is_secret and not filled:
            raise ChannelOffError(text.strip("${}"), position.line)
        return filled

    def _refuse_unbraced(self, text: str, path: Path, position: Position) -> None:
        """A path with a `$NAME` would be a folder of that name; elsewhere, as in a pattern, a dollar is itself."""
        name = unbraced_reference(text)
        if name and path and str(path[-1]).endswith(_LOCATIONS):
            message = f"'{name}' has no braces, so it is not replaced by the variable's value"
            self._refuse(position, path, message, f"write ${{{name[1:]}}}, or ${name} for a dollar and a name")

    def _text_start(self, node: yaml.ScalarNode) -> Position:
        """Where the text itself starts: behind the quote, or on the first line of a block."""
        line, column = node.start_mark.line, node.start_mark.column
        if node.style in ("'", '"'):
            return Position(self.file, line + 1, column + 2)
        if node.style in ("|", ">"):
            rest = range(line + 1, len(self.lines))
            line = next((number for number in rest if self.lines[number].strip()), line)
            column = len(self.lines[line]) - len(self.lines[line].lstrip())
        return Position(self.file, line + 1, column + 1)


def _key(node: yaml.ScalarNode) -> str | int:
    """A key as it is written; a plain whole number, as in `class_weight: {0: 1}`, is a number."""
    is_number = not node.style and str(node.value).isdecimal() and str(int(node.value)) == node.value
    return int(node.value) if is_number else str(node.value)
