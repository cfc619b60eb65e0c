"""Evidently and NannyML on the benchmark's files, run by `drift.py` in an environment of each peer's own.

    python _drift_peers.py evidently|nannyml reference.parquet current.parquet scores.parquet

Prints one JSON object: CPU seconds by what was done, and the values to compare. Reading the files into pandas and the
imports are not counted.
"""

import contextlib
import io
import json
import sys
import time

import pandas as pd


def timed(action):
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        found = action()
    return time.process_time() - start, found


def evidently(reference, current, _scores):
    from evidently import Dataset, Report
    from evidently.presets import DataDriftPreset

    then, now = (Dataset.from_pandas(frame) for frame in (reference, current))
    seconds, _ = timed(lambda: Report([DataDriftPreset()]).run(now, then).dict())
    return {"cpu": {"Evidently, DataDriftPreset": seconds}, "values": {}}


def nannyml(reference, current, scores):
    import nannyml
    from nannyml.calibration import NoopCalibrator

    half = len(scores) // 2
    drift = nannyml.UnivariateDriftCalculator(
        column_names=list(reference.columns),
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_number=1,
    )
    fitting, _ = timed(lambda: drift.fit(reference))
    calculating, _ = timed(lambda: drift.calculate(current))
    cbpe = nannyml.CBPE(
        metrics=["roc_auc", "accuracy"],
        y_pred_proba="probability",
        y_pred="prediction",
        y_true="label",
        problem_type="classification_binary",
        chunk_number=1,
        # The probabilities are calibrated by construction: both estimate from the same ones.
        calibrator=NoopCalibrator(),
    )
    preparing, _ = timed(lambda: cbpe.fit(scores.iloc[:half]))
    estimating, found = timed(lambda: cbpe.estimate(scores.iloc[half:].drop(columns="label")).to_df())
    return {
        "cpu": {
            "NannyML Jensen-Shannon, fit and calculate": fitting + calculating,
            "NannyML Jensen-Shannon, calculate": calculating,
            "NannyML CBPE, fit": preparing,
            "NannyML CBPE, estimate": estimating,
        },
        "values": {name: float(found[(name, "value")].iloc[-1]) for name in ("roc_auc", "accuracy")},
    }


if __name__ == "__main__":
    peer, *files = sys.argv[1:]
    frames = [pd.read_parquet(file) for file in files]
    print(json.dumps({"evidently": evidently, "nannyml": nannyml}[peer](*frames)))
