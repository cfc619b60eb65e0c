"""What goes wrong in training for reasons a person can mend."""


class TrainingError(ValueError):
    """A model cannot be trained, judged or described as its document says."""
