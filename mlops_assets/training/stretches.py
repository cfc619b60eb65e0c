"""Learning from one stretch of rows after another, for tables whose frame of doubles memory would not hold.

The table itself stays in the types it was narrowed to; only a stretch of it is ever what the pipeline takes.
"""

from typing import Any

import numpy as np

from mlops_assets.config.training import TrainingConfig
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.estimators import stretch_rows_problem
from mlops_assets.training.prepared import Data
from mlops_assets.training.splits import Rows


def learn_in_stretches(pipeline: Any, data: Data, rows: Rows, weights: Any, config: TrainingConfig) -> Any:
    """Fits `pipeline` in place on `rows`, `stretch_rows` of them at a time, in an order that the seed shuffles, once.

    The feature steps learn from the first stretch, which is a sample of all, and the estimator from each by its
    `partial_fit`. Raises TrainingError where the estimator has none.
    """
    steps, final = pipeline[:-1], pipeline[-1]
    if not hasattr(final, "partial_fit"):
        raise TrainingError(f"stretch_rows: {stretch_rows_problem(final)}")
    classes = {"classes": np.unique(data.truth[rows])} if config.model_type == "classification" else {}
    order = np.random.default_rng(config.random_seed).permutation(len(rows))
    for number, stretch in enumerate(_parts(order, config)):
        table, truth = data.table_of(rows[stretch]), data.truth[rows[stretch]]
        made = steps.transform(table) if number else steps.fit_transform(table, truth)
        given = {name: each[stretch] for name, each in weights.items()}
        _teach(final, made, truth, config, {**(classes if not number else {}), **given})
    return pipeline


def _teach(final: Any, made: Any, truth: Any, config: TrainingConfig, given: dict[str, Any]) -> None:
    if config.model_type in ("classification", "regression"):
        final.partial_fit(made, truth, **given)
    else:
        final.partial_fit(made, **given)


def _parts(order: Rows, config: TrainingConfig) -> list[Rows]:
    """Stretches of as many rows as asked for at most, all nearly alike."""
    size = config.stretch_rows or len(order)
    return np.array_split(order, -(-len(order) // size))
