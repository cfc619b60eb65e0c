"""The error of a project that cannot be written."""


class ScaffoldError(Exception):
    """One sentence: what is wrong, and what would be right."""
