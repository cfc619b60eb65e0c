"""Hyperparameter search: Optuna's TPE over the document's `search_space`, scored on folds of the training split only.

Trials run in rounds of `max_parallel_trials`, fold by fold, and answers are told in the order of the trials. So the
same seed gives the same trials however threads are scheduled, and a search that was killed goes on as if it had not
been: a round's sampler is seeded by how many trials are done. After each fold the trials that are worse than the median
of the others so far are given up.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.estimators import estimator, estimator_class
from mlops_assets.training.learn import learned, unfitted
from mlops_assets.training.metrics import Metric, gate_metric, metric
from mlops_assets.training.prepared import Data, Prepared, data_of, prepare
from mlops_assets.training.splits import Rows
from mlops_assets.training.study import REASON, begin, distribution, finished, opened, trial_table

if TYPE_CHECKING:
    from optuna import Study, Trial

FOLDS = 3  # where the document asks for no cross-validation


@dataclass(frozen=True, eq=False)
class Searched:
    """The best hyperparameters (the document's fixed ones included), their mean score over the folds, and all trials.

    `trials` has a row per trial: number, state (complete, pruned, failed), the score, seconds and each hyperparameter.
    """

    hyperparameters: Mapping[str, Any]
    metric: str
    score: float
    trials: pl.DataFrame

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers that are logged with the model."""
        states = self.trials["state"].to_list()
        counts = {f"search_{state}": float(states.count(state)) for state in ("complete", "pruned", "failed")}
        return {f"search_{self.metric}": self.score, **counts}


@dataclass(frozen=True, eq=False)
class _Task:
    prepared: Prepared
    data: Data
    folds: Sequence[tuple[Rows, Rows]]
    metric: Metric

    def score(self, hyperparameters: Mapping[str, Any], fold: int) -> float | str:
        """The metric on one fold, or the reason for none."""
        from sklearn.exceptions import NotFittedError

        config = self.prepared.config.model_copy(update={"hyperparameters": hyperparameters})
        learn, check = self.folds[fold]
        try:
            made = estimator(config)
            pipeline = learned(unfitted(self.prepared.steps(made), made, config), self.data, learn, self.prepared)
            found = self.data.measured(pipeline, check, config, [self.metric.name])
        except Exception as error:
            # LightGBM's own error is none of Python's kinds.
            packages = [each.__module__.partition(".")[0] for each in (type(error), estimator_class(config))]
            if not isinstance(error, (ValueError, ArithmeticError, NotFittedError)) and len(set(packages)) == 2:
                raise
            return str(error).splitlines()[0]
        value = found.values[self.metric.name]
        return found.reasons[self.metric.name] if value is None else value


def search(
    config: TrainingConfig, features: FeatureConfig, frame: pl.DataFrame, *, study: str, storage: Path | None
) -> Searched:
    """The best of `trials` sets of hyperparameters for the rows of `frame`.

    `storage` is an SQLite file that keeps the `study` between runs, None for one that is forgotten. The score is the
    gate's metric.

    Raises:
        TrainingError: no trial could be scored, with the last reason.
    """
    prepared = prepare(config, features, frame)
    config = prepared.config
    task = _task(prepared)
    kept = opened(study, storage, task.metric)
    begin(kept, config)
    started = monotonic()
    while (done := len(finished(kept))) < config.trials and _before_deadline(config, started):
        _round(kept, task, done)
    scored = [trial for trial in kept.trials if trial.state.name == "COMPLETE"]
    if not scored:
        reasons = [trial.user_attrs[REASON] for trial in kept.trials if REASON in trial.user_attrs]
        reason = f": {reasons[-1]}" if reasons else f" within {config.search_timeout}"
        raise TrainingError(f"search_space: none of {len(reasons)} trials could be scored{reason}")
    best = kept.best_trial
    chosen = {**config.hyperparameters, **best.params}
    return Searched(chosen, task.metric.name, float(best.value or 0.0), trial_table(kept))


def _task(prepared: Prepared) -> _Task:
    config = prepared.config
    inputs = prepared.steps(estimator(config)).inputs
    folds = prepared.folds(prepared.splits.rows["train"], config.cross_validation_folds or FOLDS)
    return _Task(prepared, data_of(prepared.rows, inputs, config), folds, metric(gate_metric(config)))


def _before_deadline(config: TrainingConfig, started: float) -> bool:
    return config.search_timeout is None or monotonic() - started < config.search_timeout.total_seconds()


def _round(study: "Study", task: _Task, done: int) -> None:
    """Runs up to `max_parallel_trials` trials side by side, one fold of each at a time."""
    import optuna

    config = task.prepared.config
    count = min(config.max_parallel_trials, config.trials - done)
    seed = int(np.random.SeedSequence([config.random_seed, done]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    ranges = {name: distribution(each) for name, each in config.search_space.items()}
    trials = [study.ask(ranges) for _ in range(count)]
    scores: dict[int, list[float]] = {trial.number: [] for trial in trials}
    with ThreadPoolExecutor(count) as pool:
        for fold in range(len(task.folds)):
            tried = [{**config.hyperparameters, **trial.params} for trial in trials]
            answers = list(pool.map(lambda each, fold=fold: task.score(each, fold), tried))
            pairs = zip(trials, answers, strict=True)
            last = fold == len(task.folds) - 1
            trials = [
                trial for trial, answer in pairs if _record_fold(study, trial, answer, scores[trial.number], last)
            ]
    for trial in trials:
        study.tell(trial, float(np.mean(scores[trial.number])))


def _record_fold(study: "Study", trial: "Trial", answer: float | str, scores: list[float], last: bool) -> bool:
    """Notes one fold's answer; False where the trial has failed or is given up."""
    from optuna.trial import TrialState

    if isinstance(answer, str):
        trial.set_user_attr(REASON, answer)
        study.tell(trial, state=TrialState.FAIL)
        return False
    scores.append(answer)
    trial.report(float(np.mean(scores)), len(scores))
    if not last and trial.should_prune():
        study.tell(trial, state=TrialState.PRUNED)
        return False
    return True
