"""The fitted transforms that scikit-learn has not, as small transformers a skops file can hold.

Each takes and gives two-dimensional arrays, null in and null (NaN) out, and names its outputs. Model files name these
classes by the module that defines them, and older ones by this package: neither may move.
"""

from mlops_assets.features.transformers.arrays import Stateless, cells, first_column, floats
from mlops_assets.features.transformers.categories import AsObjects, Categories, HashColumns, OneHot
from mlops_assets.features.transformers.chosen import Chosen
from mlops_assets.features.transformers.numbers import AsFloat, Buckets, Clip, Log1p
from mlops_assets.features.transformers.text import TextLength, Vectorized, Words
from mlops_assets.features.transformers.times import DatetimeParts

__all__ = [
    "AsFloat",
    "AsObjects",
    "Buckets",
    "Categories",
    "Chosen",
    "Clip",
    "DatetimeParts",
    "HashColumns",
    "Log1p",
    "OneHot",
    "Stateless",
    "TextLength",
    "Vectorized",
    "Words",
    "cells",
    "first_column",
    "floats",
]
