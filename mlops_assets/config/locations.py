"""The schemes that a documented path may begin with."""

import re

from mlops_assets.config.problems import did_you_mean, one_of

REMOTE_SCHEMES = ("s3", "s3a", "gs", "abfs", "abfss", "az", "adl", "https", "http")
SCHEMES = ("dbfs", "file", *REMOTE_SCHEMES)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # of one letter it is a drive


def unknown_scheme(path: str) -> tuple[str, str] | None:
    """What is wrong with a path of a scheme that nothing reads (`s4://…`), and what would be right; else None."""
    found = _SCHEME.match(path)
    if found is None or found[1].lower() in SCHEMES:
        return None
    hint = did_you_mean(found[1], SCHEMES) or f"known are {one_of(SCHEMES)}"
    return f"nothing reads paths that begin with '{found[1]}:'", hint
