"""What keeps a monitor from judging rows, in a sentence."""


class MonitoringError(ValueError):
    """The rows, or what they are held against, are not what the document asks to watch."""
