"""The fast plan: a fitted pipeline as array operations, used only where it is proven equal to scikit-learn."""
