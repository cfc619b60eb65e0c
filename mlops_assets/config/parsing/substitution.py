"""`${VAR}`, `${VAR:-default}`, `${VAR:default}` and `$$` in the texts of a document; `${secret:scope/key}` is kept."""

import re
from collections.abc import Callable, Mapping

REFERENCE = re.compile(r"\$\{secret:([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)\}")
_BRACED = re.compile(r"\$\$|\$\{([^{}]*)(\}?)")
_UNBRACED = re.compile(r"\$[A-Za-z_]\w*")
_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::(-?)(.*))?", re.DOTALL)
Lookup = Callable[[str], str | None]


class SubstitutionError(ValueError):
    """A reference that cannot be filled in; `unset` is the variable without a value, where that is why."""

    def __init__(self, message: str, hint: str = "", unset: str | None = None) -> None:
        """What is wrong and what would be right."""
        super().__init__(message)
        self.message, self.hint, self.unset = message, hint, unset


def substitute(text: str, lookup: Lookup) -> str:
    """The text with its references filled in: a default stands in for a variable that is unset or empty.

    Raises SubstitutionError for an unset variable without default and for what is no variable.
    """
    return _BRACED.sub(lambda found: _value(found, lookup), text)


def unbraced_reference(text: str) -> str | None:
    """The first `$NAME` of the text, which is no reference without its braces; `$$NAME` is a dollar and a word."""
    found = _UNBRACED.search(_BRACED.sub(" ", text))
    return found[0] if found else None


def _value(found: re.Match[str], lookup: Lookup) -> str:
    if found[0] == "$$":
        return "$"
    inside, closed = found[1], found[2]
    if inside.startswith("secret:"):
        return _reference(found[0])
    reference = _REFERENCE.fullmatch(inside)
    if not closed or not reference:
        raise SubstitutionError(
            f"'{found[0]}' is no reference to a variable",
            "write ${NAME} or ${NAME:-default}, or $$ for a dollar",
        )
    return _filled(reference, lookup)


def _reference(text: str) -> str:
    """A secret's reference as it stands: its value is read by the step that needs it."""
    if not REFERENCE.fullmatch(text):
        raise SubstitutionError(f"'{text}' is no reference to a secret", "write ${secret:scope/key}")
    return text


def _filled(reference: re.Match[str], lookup: Lookup) -> str:
    name, default = reference[1], reference[3]
    value = lookup(name)
    if default is not None:
        return value or default
    if value is None:
        raise SubstitutionError(
            f"environment variable '{name}' is not set", f"set it, or write ${{{name}:-default}}", unset=name
        )
    return value


def variables(environment: Mapping[str, str], declared: Mapping[str, str]) -> Lookup:
    """Looks a name up in the process environment, then in the document's `environment_vars`.

    A declared value may refer to other variables; where it refers to itself, its own name counts as unset.
    """

    def lookup_without(open_names: frozenset[str]) -> Lookup:
        def lookup(name: str) -> str | None:
            if name in environment:
                return environment[name]
            if name in open_names or name not in declared:
                return None
            return substitute(declared[name], lookup_without(open_names | {name}))

        return lookup

    return lookup_without(frozenset())
