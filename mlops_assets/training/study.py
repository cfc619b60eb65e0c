"""A search's trials in Optuna: opened, gone on with, and read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.config.search import Choices, FloatRange, SearchRange
from mlops_assets.config.training import TrainingConfig
from mlops_assets.training.metrics import Metric

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

REASON = "reason"  # why a trial has no value


def opened(name: str, storage: Path | None, wanted: Metric) -> "Study":
    """The study of a name in an SQLite file, with what a run before has left there; None is one that is forgotten."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if storage is not None:
        storage.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=name,
        storage=f"sqlite:///{storage}" if storage else None,
        direction="maximize" if wanted.greater_is_better else "minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
        load_if_exists=True,
    )


def begin(study: "Study", config: TrainingConfig) -> None:
    """Gives up trials that a killed run left, and puts the document's own values first, where they can be drawn."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    given, ranges = config.hyperparameters, config.search_space
    own = {name: value for name, value in given.items() if name in ranges and ranges[name].holds(value)}
    if own and not finished(study) and not study.get_trials(states=(TrialState.WAITING,)):
        study.enqueue_trial(own)


def finished(study: "Study") -> list[Any]:
    """Trials with a score, pruned ones and those that cannot be scored; not those that a kill cut short."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in ("COMPLETE", "PRUNED") or (trial.state.name == "FAIL" and REASON in trial.user_attrs)
    ]


def distribution(given: SearchRange) -> "BaseDistribution":
    """What Optuna draws a hyperparameter from."""
    from optuna import distributions

    if isinstance(given, Choices):
        return distributions.CategoricalDistribution(given.choices)
    if isinstance(given, FloatRange):
        return distributions.FloatDistribution(given.low, given.high, log=given.log, step=given.step)
    return distributions.IntDistribution(given.low, given.high, log=given.log, step=given.step)


def trial_table(study: "Study") -> pl.DataFrame:
    """A row per trial: number, state (complete, pruned, failed), score, seconds, reason and each hyperparameter."""
    states = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    rows = [
        {
            "trial": trial.number,
            "state": states[trial.state.name],
            "score": trial.value if trial.state.name == "COMPLETE" else None,
            "seconds": trial.duration.total_seconds() if trial.duration else None,
            "reason": trial.user_attrs.get(REASON),
            **{name: str(value) for name, value in trial.params.items()},
        }
        for trial in finished(study)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
