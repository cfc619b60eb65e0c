"""Bronze rows shaped, validated, and shared out between silver and the quarantine, with Polars."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.config.base import last_part
from mlops_assets.lake.batch import Batch, Run, silver_rules
from mlops_assets.lake.shape import FAILED, ROW, arrived, shape
from mlops_assets.rules import Rule, validate

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


def prepare(
    config: "DataConfig",
    bronze: pl.DataFrame,
    run: Run,
    others: Mapping[str, pl.LazyFrame],
    rules: Sequence[Rule] | None = None,
) -> Batch[pl.DataFrame]:
    """Bronze rows shaped and validated by the document's rules, or by `rules` in their place. Writes nothing.

    A bronze row that a step turned into several is bad as a whole where one of them is: the quarantine holds what
    arrived.
    """
    return prepared(config, bronze, run, others, rules)[0]


def prepared(
    config: "DataConfig",
    bronze: pl.DataFrame,
    run: Run,
    others: Mapping[str, pl.LazyFrame],
    rules: Sequence[Rule] | None = None,
) -> tuple[Batch[pl.DataFrame], pl.Series]:
    """The same, and the place in `bronze` of the row that each good row comes from."""
    shaped = shape(config, arrived(config, bronze), run.as_of)
    validation = validate(
        shaped.frame.drop(ROW),
        silver_rules(config) if rules is None else rules,
        as_of=run.as_of,
        table=last_part(config.destination_path),
        tables=others,
        sensitive=config.sensitive_columns,
    )
    origin = shaped.frame[ROW]
    broken = pl.DataFrame({ROW: origin.filter(validation.broken), FAILED: validation.failed[FAILED]})
    reasons = (
        pl.concat([shaped.unreadable, broken])
        .group_by(ROW, maintain_order=True)
        .agg(pl.col(FAILED).list.explode(keep_nulls=False, empty_as_null=False).unique(maintain_order=True))
    )
    numbered = bronze.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))
    bad = numbered.join(reasons, on=ROW, maintain_order="left").drop(ROW).with_columns(pl.lit(run.id).alias("_run_id"))
    good, origin = validation.passed, origin.filter(~validation.broken)
    added = dict(shaped.added)
    if "explode" in added:
        whole = ~origin.is_in(broken[ROW].implode())
        good, origin = good.filter(whole), origin.filter(whole)
        lost = shaped.frame.height - good.height - broken[ROW].n_unique()
        added["explode"] -= lost + shaped.folded
    batch = Batch(good, bad, good.height, bad.height, validation.outcomes, bronze.height, added, shaped.removed)
    return batch, origin
