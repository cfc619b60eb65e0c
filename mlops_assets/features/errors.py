"""What goes wrong with features for reasons a person can mend."""


class FeatureError(ValueError):
    """A feature table or its transforms cannot be made as the document says."""


class StoreUnavailableError(FeatureError):
    """The online store's server gave no answer; asking again later may help."""
