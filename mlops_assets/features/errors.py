"""What goes wrong with features for reasons a person can mend."""


class FeatureError(ValueError):
    """A feature table or its transforms cannot be made as the document says."""
