"""overrides.yaml: fields that replace whole fields of a project's documents, before these are checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlops_assets.config.parsing.documents import read_sources
from mlops_assets.config.parsing.kinds import MODELS, KindOfFile
from mlops_assets.config.parsing.source import Source
from mlops_assets.config.problems import Problem, did_you_mean


@dataclass
class Override:
    """The fields for one target, `<kind>` for all documents of a kind or `<kind>/<stem>`."""

    target: str
    source: Source
    used: bool = False
    stems: set[str] = field(default_factory=set)

    def applied(self, source: Source, of_file: KindOfFile) -> Source:
        """The document with this target's fields, where it is meant."""
        kind, _, stem = self.target.partition("/")
        if kind == of_file.kind:
            self.stems.add(f"{kind}/{of_file.stem}")
        if kind != of_file.kind or (stem and stem != of_file.stem):
            return source
        self.used = True
        for name in self.source.data[self.target]:
            source = source.with_field(name, self.source, (self.target, name))
        return source

    def unused(self) -> Problem:
        """The problem of a target that is no document of the project."""
        hint = did_you_mean(self.target, self.stems) or "write '<kind>' or '<kind>/<stem of the file>'"
        return self.source.place((self.target,)).shown.problem(self.target, "the project has no such document", hint)


def read_overrides(
    path: Path, environment: Mapping[str, str], problems: list[Problem], warnings: list[str]
) -> list[Override]:
    """The overrides of a file; an unknown kind, or fields that are no mapping, are problems."""
    overrides = []
    for source in read_sources(path, environment, problems):
        problems += [problem for _, problem in source.problems]
        warnings += [warning for _, warning in source.warnings]
        for target, fields in source.data.items():
            position = source.place((target,)).shown
            kind = str(target).partition("/")[0]
            if kind not in MODELS:
                known = ", ".join(MODELS)
                hint = did_you_mean(kind, MODELS) or f"the kinds are {known}"
                problems.append(position.problem(str(target), f"unknown kind of document '{kind}'", hint))
            elif not isinstance(fields, dict):
                problems.append(position.problem(str(target), "a mapping of fields is needed"))
            else:
                overrides.append(Override(str(target), source))
    return overrides
