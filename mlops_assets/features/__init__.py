"""Feature tables, point-in-time joins, and fitted transforms as scikit-learn steps."""

from mlops_assets.features.joins import FeatureError, join_tables
from mlops_assets.features.table import duplicate_keys, feature_frame, identity, null_keys

__all__ = ["FeatureError", "duplicate_keys", "feature_frame", "identity", "join_tables", "null_keys"]
