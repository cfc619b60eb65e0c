"""What goes wrong with example data for reasons a person can mend."""


class SampleError(ValueError):
    """Example data cannot land as it is asked for."""
