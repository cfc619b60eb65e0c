"""Feature tables, point-in-time joins, and fitted transforms as scikit-learn steps.

Nothing is imported here: a serving worker loads this package for the transforms in a model file, and wants no more.
"""
