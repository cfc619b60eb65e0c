"""Bronze rows shaped, validated, and shared out between silver and the quarantine, with Polars."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.config.base import last_part
from mlops_assets.lake.batch import Batch, Run, silver_rules
from mlops_assets.lake.history import FROM, refuse_own
from mlops_assets.lake.shape import FAILED, ROW, arrived, shape
from mlops_assets.rules import Rule, RuleOutcome, columns, parse, validate

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


def prepare(
    config: "DataConfig",
    bronze: pl.DataFrame,
    run: Run,
    others: Mapping[str, pl.LazyFrame],
    rules: Sequence[Rule] | None = None,
) -> Batch[pl.DataFrame]:
    """Bronze rows shaped and validated by the document's rules, or by `rules` instead. Writes nothing.

    A bronze row that a step turned into several is bad if one of them is: the quarantine has the row as it arrived.
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
        .sort(ROW)
    )
    bad = bronze[reasons[ROW]].with_columns(reasons[FAILED], pl.lit(run.id).alias("_run_id"))
    good, origin = validation.passed, origin.filter(~validation.broken)
    added = dict(shaped.added)
    if "explode" in added:
        whole = ~origin.is_in(broken[ROW].implode())
        good, origin = good.filter(whole), origin.filter(whole)
        lost = shaped.frame.height - good.height - broken[ROW].n_unique()
        added["explode"] -= lost + shaped.folded
    if config.mode == "scd2":
        refuse_own(good.columns)
    if config.mode == "scd2" and config.sequence is None:
        # A version is valid from its arrival, also where it waited in quarantine.
        good = good.with_columns(bronze["_ingested_at"][origin].alias(FROM))
    batch = Batch(good, bad, good.height, bad.height, validation.outcomes, bronze.height, added, shaped.removed)
    return batch, origin


def table_outcomes(
    config: "DataConfig",
    parts: Iterable[pl.DataFrame],
    run: Run,
    others: Mapping[str, pl.LazyFrame],
    rules: Sequence[Rule],
) -> Sequence[RuleOutcome]:
    """Table-level rules over all rows of `parts` together; only the columns that the rules read are kept in memory."""
    read = {column for rule in rules for column in columns(parse(rule.condition))}
    kept = []
    for part in parts:
        frame = shape(config, arrived(config, part), run.as_of).frame.drop(ROW)
        # Other columns are only needed for the number of rows.
        kept.append(frame.with_columns(pl.lit(None).alias(name) for name in frame.columns if name not in read))
    table = last_part(config.destination_path)
    return validate(pl.concat(kept), rules, as_of=run.as_of, table=table, tables=others).outcomes
