"""Texts and names as SQL writes them, on either engine."""


def quoted(value: str) -> str:
    """A text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"


def name_in_sql(text: str) -> str:
    """A name that may hold any character, as SQL writes it."""
    return "`" + text.replace("`", "``") + "`"
