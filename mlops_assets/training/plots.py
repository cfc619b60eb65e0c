"""What a person looks at: a model's figures on its held-out rows, as small PNG files."""

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.features.frames import model_frame
from mlops_assets.training.evaluation import Outcomes
from mlops_assets.training.fit import Fitted
from mlops_assets.training.prepared import truth_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 15
IMPORTANCE_ROWS = 2_000


def figures(fitted: Fitted) -> dict[str, bytes]:
    """Title to PNG: ROC, precision-recall, calibration and scores of a binary classifier, residuals of a
    regressor, and the permutation importance of every supervised model; empty where nothing is held out."""
    rows, found = fitted.held_out, fitted.said
    if found is None or fitted.config.model_type not in ("classification", "regression"):
        return {}
    truth = truth_of(rows, fitted.config)
    drawn: dict[str, Callable[[Axes], None]] = {}
    if fitted.config.model_type == "regression":
        drawn["residuals"] = lambda axes: _residuals(axes, found, truth)
    elif found.classes is not None and len(found.classes) == 2 and len(np.unique(truth)) == 2:
        positive = truth == found.classes[1]
        drawn["roc"] = lambda axes: _roc(axes, positive, found.scores)
        drawn["precision_recall"] = lambda axes: _precision_recall(axes, positive, found.scores)
        if found.probabilities is not None:
            drawn["calibration"] = lambda axes: _calibration(axes, positive, found.probabilities[:, 1])
    importance = permutation_importance(fitted)
    drawn["importance"] = lambda axes: _bars(axes, importance)
    return {title: _png(draw) for title, draw in drawn.items()}


def permutation_importance(fitted: Fitted) -> dict[str, float]:
    """Raw column to the loss in the estimator's score (accuracy or R²) when it is shuffled, largest first.

    Breiman 2001; on at most 2,000 held-out rows, one shuffle each.
    """
    from sklearn.inspection import permutation_importance as measured
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    step = max(fitted.held_out.height // IMPORTANCE_ROWS, 1)
    rows = fitted.held_out.gather_every(step)
    scoring = "r2" if fitted.config.model_type == "regression" else _ranking(fitted, rows)
    # Few rows at a time: a second thread would wait more than it works.
    with threadpool_limits(1):
        found = measured(
            fitted.pipeline,
            model_frame(rows, fitted.inputs),
            truth_of(rows, fitted.config),
            scoring=scoring,
            n_repeats=1,
            random_state=fitted.config.random_seed,
        )
    pairs = zip(fitted.inputs, found.importances_mean.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def _ranking(fitted: Fitted, rows: Any) -> str:
    """AUC where both of two classes are there: accuracy does not move where one class is rare."""
    classes = fitted.pipeline[-1].classes_
    both = len(classes) == 2 and len(np.unique(truth_of(rows, fitted.config))) == 2
    return "roc_auc" if both else "accuracy"


def _png(draw: Callable[["Axes"], None]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without pyplot: it keeps figures alive, and picks a backend for the whole process.
    figure = Figure(figsize=(4.8, 3.6), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _roc(axes: "Axes", positive: Any, scores: Any) -> None:
    from sklearn.metrics import auc, roc_curve

    wrong, right, _ = roc_curve(positive, scores)
    axes.plot(wrong, right, label=f"AUC {auc(wrong, right):.3f}")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(loc="lower right")


def _precision_recall(axes: "Axes", positive: Any, scores: Any) -> None:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(positive, scores)
    axes.step(recall, precision, where="post", label=f"AP {average_precision_score(positive, scores):.3f}")
    axes.axhline(float(np.mean(positive)), color="grey", linewidth=0.8, linestyle="--")
    axes.set(xlabel="recall", ylabel="precision")
    axes.legend(loc="upper right")


def _calibration(axes: "Axes", positive: Any, probability: Any) -> None:
    from sklearn.calibration import calibration_curve

    seen, said = calibration_curve(positive, probability, n_bins=10, strategy="quantile")
    axes.plot(said, seen, marker="o", markersize=3)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    axes.set(xlabel="predicted probability", ylabel="share of positives")


def _residuals(axes: "Axes", found: Outcomes, truth: Any) -> None:
    step = max(len(truth) // 3_000, 1)
    axes.scatter(found.labels[::step], (truth - found.labels)[::step], s=4, alpha=0.4)
    axes.axhline(0, color="grey", linewidth=0.8, linestyle="--")
    axes.set(xlabel="prediction", ylabel="truth - prediction")


def _bars(axes: "Axes", importance: Mapping[str, float]) -> None:
    shown = list(importance.items())[:SHOWN][::-1]
    axes.barh([name for name, _ in shown], [value for _, value in shown])
    axes.set(xlabel="loss of score when shuffled")
