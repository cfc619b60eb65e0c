"""Training: splits, estimators, fitting, metrics, gates and plots."""
