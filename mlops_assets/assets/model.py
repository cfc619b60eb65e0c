"""Training documents as assets: the rows to learn from, and the model that was learned from them and judged.

A model that is already registered for the same rows, documents and code is not trained again. What the gate decided is
written on the version; a refusal is an answer, not a failure, and what is deployed stays.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.assets.errors import told
from mlops_assets.assets.keys import model_key, shared, table_key
from mlops_assets.assets.launchpad import knobs, with_knobs
from mlops_assets.assets.lineage import ModelDocuments
from mlops_assets.assets.metadata import image, numbers, table_metadata
from mlops_assets.assets.pending import warn_pending
from mlops_assets.assets.tables import dependencies, locate
from mlops_assets.config import Project, TrainingConfig, config_hash
from mlops_assets.features import FeatureError
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry, ModelVersion, RegistryError
from mlops_assets.training import TrainingError

GATE = "gate"
