"""Whether a plan may be used: only where it gives, to the last bit, what scikit-learn gives for thousands of rows.

The rows are made from the model itself: every text its encoders know, unseen ones, nulls, whole and huge and tiny
numbers, values around the scalers' centres. scikit-learn is asked through the same path as without a plan.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mlops_assets.serving.model import Prediction, ServedModel, finished
from mlops_assets.serving.plan.columns import Unplanned
from mlops_assets.serving.plan.finals import row_by_row
from mlops_assets.serving.plan.pipeline import Plan, plan_of
from mlops_assets.serving.signature import Column

ROWS = 2048
ROWS_ALONE = 16
FEW = 37
_EPOCH = datetime(2000, 1, 1)


def with_proven_plan(model: ServedModel) -> ServedModel:
    """The model with its plan where there is one and it is proven; `how` says so, or why not.

    Without one, whether requests may be predicted together is proven likewise.
    """
    plan = _proven_plan(model)
    if not isinstance(plan, str):
        return replace(model, plan=plan, how=f"fast plan, bit-equal on {ROWS} rows")
    together = equal_in_company(model)
    alone = "" if together else "; each request alone, as its answers hang on how many are asked for"
    return replace(model, together=together, how=f"scikit-learn: {plan}{alone}")


def _proven_plan(model: ServedModel) -> Plan | str:
    """The plan, or the reason for none."""
    try:
        plan = plan_of(model.estimator, model.columns)
    except Unplanned as part:
        return f"no fast plan for {part}"
    except (ValueError, TypeError) as error:
        # An encoder that refuses unseen texts has no outcome for them to be looked up.
        return f"no fast plan, an encoder refuses texts ({type(error).__name__})"
    rows = answered_rows(model, plan)
    if rows is None:
        return "the fast plan answers too few rows to be proven"
    try:
        differing = differences(model, plan, rows)
    except (ValueError, TypeError) as error:
        return f"it refuses rows of the fast plan's proof ({type(error).__name__})"
    return f"the fast plan differs in {differing} of {ROWS} rows" if differing else plan


def equal_in_company(model: ServedModel) -> bool:
    """Whether rows get the same answers, to the last bit, alone, in a few and in thousands; False where the model
    refuses made rows.
    """
    names = [column.name for column in model.columns]
    for nulls in (0.1, 0.0):
        rows = made_rows(model, nulls)
        try:
            together = model.answer(names, rows)
            alone = [answer for row in rows[:ROWS_ALONE] for answer in model.answer(names, [row])]
            few = model.answer(names, rows[:FEW])
        except (ValueError, TypeError):
            continue
        return equal(alone, together[:ROWS_ALONE]) and equal(few, together[:FEW])
    return False


def answered_rows(model: ServedModel, plan: Plan) -> list[list[Any]] | None:
    """ROWS generated rows that the plan can predict, with nulls if the model accepts them; None if there are none."""
    names = [column.name for column in model.columns]
    for nulls in (0.1, 0.0):
        rows = made_rows(model, nulls)
        if plan.predict(names, rows) is not None:
            return rows
    return None


def differences(model: ServedModel, plan: Plan, rows: list[list[Any]]) -> int:
    """How many of the rows the plan and scikit-learn answer differently, by one bit or more."""
    names = [column.name for column in model.columns]
    planned = plan.predict(names, rows) or []
    plain = _plain(model, rows)
    alone = sum(
        not equal(plan.predict(names, [row]), model.answer(names, [row])) for row in rows[:: len(rows) // ROWS_ALONE]
    )
    return alone + sum(not equal([ours], [theirs]) for ours, theirs in zip(planned, plain, strict=True))


def equal(ours: Sequence[Prediction] | None, theirs: Sequence[Prediction]) -> bool:
    """Whether two lists of predictions are the same to the bit; NaN is NaN."""
    return repr(ours) == repr(list(theirs))


def made_rows(model: ServedModel, nulls: float) -> list[list[Any]]:
    """ROWS rows of JSON values, this share of them null; the same for the same model."""
    draw = random.Random(0)
    texts = _texts(model.estimator)
    centres = _centres(model.estimator)
    return [[_value(column, draw, texts, centres, nulls) for column in model.columns] for _ in range(ROWS)]


def _plain(model: ServedModel, rows: list[list[Any]]) -> list[Prediction]:
    """scikit-learn's answers: for a linear model the last step is asked row by row, as a single request would."""
    import pandas as pd

    from mlops_assets.serving.signature import conform

    frame = pd.DataFrame(rows, columns=[column.name for column in model.columns], dtype=object)
    final = model.estimator.steps[-1][1]
    if not row_by_row(final):
        return model.predict(frame)
    matrix = model.estimator[:-1].transform(conform(frame, model.columns))
    return [
        answer for place in range(len(rows)) for answer in finished(final, matrix[place : place + 1], model.classes)
    ]


def _value(column: Column, draw: random.Random, texts: list[str], centres: list[float], nulls: float) -> Any:
    nullable = not column.required or column.type in ("double", "string")
    if nullable and draw.random() < nulls:
        return None
    match column.type:
        case "string":
            return draw.choice(texts) if texts and draw.random() < 0.9 else f"unseen {draw.random()}"
        case "boolean":
            return draw.random() < 0.5
        case "datetime":
            return (_EPOCH + timedelta(seconds=draw.randrange(-(10**9), 10**9))).isoformat()
        case "long" | "integer":
            return draw.randrange(-(10**6), 10**6)
    kind = draw.random()
    if kind < 0.4:
        return draw.choice(centres) * draw.gauss(1, 0.5)
    if kind < 0.7:
        return draw.gauss(0, 1) * 10 ** draw.uniform(-6, 6)
    return draw.choice([0, 1, -0.0, draw.randrange(1000), float(draw.randrange(1000)), 1e300, -1e-300])


def _texts(estimator: Any) -> list[str]:
    return [value for value in _learned(estimator, ("categories_", "rare_")) if isinstance(value, str)]


def _centres(estimator: Any) -> list[float]:
    found = _learned(estimator, ("mean_", "center_", "statistics_", "data_min_", "data_max_"))
    return [float(value) for value in found if isinstance(value, float)] or [1.0]


def _learned(part: Any, names: Sequence[str], depth: int = 8) -> Iterator[Any]:
    """Every plain value in attributes of these names, at any depth of a fitted estimator."""
    for name, value in vars(part).items() if hasattr(part, "__dict__") and depth else ():
        if name in names:
            yield from _flat(value)
        elif name in ("steps", "transformers_", "transformer_", "transformer"):
            for inner in _flat(value):
                yield from _learned(inner, names, depth - 1)


def _flat(value: Any) -> Iterator[Any]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _flat(each)
    else:
        yield value
