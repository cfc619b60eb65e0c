"""What keeps a project from being written."""


class ScaffoldError(Exception):
    """One sentence: what is wrong, and what would be right."""
