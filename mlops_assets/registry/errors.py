"""What goes wrong with the register for reasons a person can mend."""


class RegistryError(Exception):
    """The registry holds no such model, version or alias."""
