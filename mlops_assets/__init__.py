"""A model's whole life in typed YAML, as a Dagster asset graph."""

import os

# scikit-learn's threads otherwise spin while they wait: on a busy machine a fit of 4 seconds took 418.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
