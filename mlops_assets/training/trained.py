"""A trained model with all that was measured of it, in the form that the registry records."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from mlops_assets.config import FeatureConfig, TrainingConfig
from mlops_assets.registry import Training
from mlops_assets.training.estimators import algorithm_path
from mlops_assets.training.example import typical_row
from mlops_assets.training.fit import Fitted
from mlops_assets.training.gates import GateDecision
from mlops_assets.training.importance import permutation_importance
from mlops_assets.training.lineage import Lineage
from mlops_assets.training.plots import figures
from mlops_assets.training.record import FILE, TrainingRecord
from mlops_assets.training.search import Searched
from mlops_assets.training.signature import Signature
from mlops_assets.training.slices import sliced
from mlops_assets.training.tags import version_tags


@dataclass(frozen=True, eq=False)
class Trained:
    """`fitted` was measured and judged; `final` is what is registered: the same, or refitted on all rows.

    `config` is the document with the hyperparameters that a search found, if there was one.
    """

    config: TrainingConfig
    features: FeatureConfig
    fitted: Fitted
    final: Fitted
    decision: GateDecision
    searched: Searched | None

    @cached_property
    def importance(self) -> Mapping[str, float]:
        """Loss in the score when a column is shuffled, by column; empty where it cannot be measured."""
        return permutation_importance(self.fitted)

    @cached_property
    def figures(self) -> Mapping[str, bytes]:
        """Plots as PNG, by title."""
        return figures(self.fitted, self.importance)

    @cached_property
    def slices(self) -> pl.DataFrame:
        """The metrics of the document's slices."""
        return sliced(self.fitted)

    def record(self, lineage: Lineage, cause: Mapping[str, str]) -> Training:
        """What the registry records; `cause` are tags that say who asked for the training."""
        config, fitted, signature = self.config, self.fitted, Signature.of(self.fitted)
        return Training(
            self.final.pipeline,
            inputs=signature.inputs,
            outputs=signature.outputs,
            params={"algorithm": algorithm_path(config).rpartition(".")[2], **config.hyperparameters},
            metrics=self._metrics(),
            tags={
                **version_tags(self.final, self.decision, lineage),
                **{f"mlops.{name}": value for name, value in cause.items()},
            },
            figures=self.figures,
            tables=lineage.tables,
            made_of=lineage.made_of,
            example=typical_row(fitted.rows, fitted.inputs),
            files=self._files(lineage),
        )

    def _metrics(self) -> dict[str, float]:
        searched = self.searched.metrics if self.searched else {}
        size = {"rows": self.fitted.rows.height, "fit_seconds": self.fitted.seconds}
        return {**self.fitted.metrics, **searched, **size}

    def _files(self, lineage: Lineage) -> dict[str, str]:
        files = {FILE: self._training_record(lineage).model_dump_json(indent=1)}
        if self.searched:
            files["search.csv"] = self.searched.trials.write_csv()
        if self.importance:
            files["importance.json"] = json.dumps(self.importance, indent=1)
        if self.slices.height:
            files["slices.csv"] = self.slices.write_csv()
        return files

    def _training_record(self, lineage: Lineage) -> TrainingRecord:
        final, documents = self.final, (self.config, self.features)
        splits = {name: final.splits.row_set_hash(name) for name in final.splits.rows}
        return TrainingRecord.of(documents, lineage.tables, final.rows, splits, refitted=final.refitted)
