"""The version of the documents' language, which a document may state, and the steps from an older one to today's."""

from collections.abc import Callable, Mapping

from mlops_assets.config.parsing.source import Source
from mlops_assets.config.problems import Problem

VERSION = "version"
Step = Callable[[Source], Source]
# From a version to the next: a field that has changed its name is `lambda source: source.renamed("old", "new")`.
STEPS: Mapping[int, Step] = {}


def current(steps: Mapping[int, Step]) -> int:
    """The version that this package reads and writes."""
    return 1 + len(steps)


def up_to_date(source: Source, problems: list[Problem], steps: Mapping[int, Step] = STEPS) -> Source:
    """A document in today's language, without its `version`; one that states none is of today's. A version that is
    none, or newer than this package knows, is added to `problems`.
    """
    stated = source.data.get(VERSION, current(steps))
    if VERSION in source.data:
        problems += _problems(source, stated, current(steps))
        source = source.without(VERSION)
    if isinstance(stated, int):
        for version in range(max(stated, 1), current(steps)):
            source = steps[version](source)
    return source


def _problems(source: Source, stated: object, newest: int) -> list[Problem]:
    known = " or ".join(str(version) for version in range(1, newest + 1))
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < 1:
        message, hint = f"'{stated}' is no version of the documents' language", f"write {known}"
    elif stated > newest:
        message = f"this document is of version {stated}, and this package reads {known}"
        hint = "install a newer mlops-assets"
    else:
        return []
    return [source.place((VERSION,)).shown.problem(VERSION, message, hint)]
