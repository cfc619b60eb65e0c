"""Example data that the example projects run on, written as source files where a document says `sample`."""

from mlops_assets.samples.errors import SampleError
from mlops_assets.samples.land import SAMPLES, land

__all__ = ["SAMPLES", "SampleError", "land"]
