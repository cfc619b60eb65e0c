"""What a person looks at: a model's figures on its held-out rows, as small PNG files."""

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.training.evaluation import Outcomes
from mlops_assets.training.fit import Fitted
from mlops_assets.training.prepared import truth_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 15
MOST_CLASSES = 20
Draw = Callable[["Axes"], None]


def figures(fitted: Fitted, importance: Mapping[str, float]) -> dict[str, bytes]:
    """Title to PNG: ROC, precision-recall and calibration of a binary classifier, the confusion of any with at most
    20 classes, residuals of a regressor, and the permutation importance of all three; empty where nothing is held out.
    """
    rows, found = fitted.held_out, fitted.said
    if found is None or fitted.config.model_type not in ("classification", "regression"):
        return {}
    truth = truth_of(rows, fitted.config)
    drawn = _of_regressor(found, truth) if found.classes is None else _of_classifier(found, truth)
    if importance:
        drawn["importance"] = lambda axes: _bars(axes, importance)
    return {title: _png(draw) for title, draw in drawn.items()}


def _of_regressor(found: Outcomes, truth: Any) -> dict[str, Draw]:
    return {"residuals": lambda axes: _residuals(axes, found, truth)}


def _of_classifier(found: Outcomes, truth: Any) -> dict[str, Draw]:
    assert found.classes is not None
    drawn: dict[str, Draw] = {}
    positive = truth == found.classes[-1]
    both = len(found.classes) == 2 and 0 < int(positive.sum()) < len(positive)
    if both and found.scores is not None:
        drawn["roc"] = lambda axes: _roc(axes, positive, found.scores)
        drawn["precision_recall"] = lambda axes: _precision_recall(axes, positive, found.scores)
    if both and found.probabilities is not None:
        drawn["calibration"] = lambda axes: _calibration(axes, positive, found.probabilities[:, 1])
    if len(found.classes) <= MOST_CLASSES:
        drawn["confusion"] = lambda axes: _confusion(axes, found, truth)
    return drawn


def _png(draw: Draw) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import AutoLocator, MaxNLocator

    # Without pyplot: it keeps figures alive, and picks a backend for the whole process.
    figure = Figure(figsize=(4.8, 3.6), dpi=90)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # Fixed margins: a layout engine draws everything twice.
    figure.subplots_adjust(left=0.15, right=0.97, bottom=0.14, top=0.96)
    draw(axes)
    # Most of the time that a figure takes is that of the labels of its ticks.
    for axis in (axes.xaxis, axes.yaxis):
        if isinstance(axis.get_major_locator(), AutoLocator):
            axis.set_major_locator(MaxNLocator(3))
    file = io.BytesIO()
    figure.savefig(file, format="png", pil_kwargs={"compress_level": 1})
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

    seen, predicted = calibration_curve(positive, probability, n_bins=10, strategy="quantile")
    axes.plot(predicted, seen, marker="o", markersize=3)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    axes.set(xlabel="predicted probability", ylabel="share of positives")


def _residuals(axes: "Axes", found: Outcomes, truth: Any) -> None:
    step = max(len(truth) // 3_000, 1)
    axes.scatter(found.labels[::step], (truth - found.labels)[::step], s=4, alpha=0.4)
    axes.axhline(0, color="grey", linewidth=0.8, linestyle="--")
    axes.set(xlabel="prediction", ylabel="truth - prediction")


def _confusion(axes: "Axes", found: Outcomes, truth: Any) -> None:
    from sklearn.metrics import confusion_matrix

    assert found.classes is not None
    counts = confusion_matrix(truth, found.labels, labels=found.classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=7, color=colour)
    names = [str(each)[:12] for each in found.classes]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="prediction", ylabel="truth")


def _bars(axes: "Axes", importance: Mapping[str, float]) -> None:
    largest = list(importance.items())[:SHOWN][::-1]
    names = [name if len(name) <= 24 else f"{name[:23]}…" for name, _ in largest]
    axes.barh(names, [value for _, value in largest])
    axes.figure.subplots_adjust(left=0.07 + 0.016 * max(map(len, names)))
    axes.set(xlabel="loss of score when shuffled")
