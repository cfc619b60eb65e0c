"""Which rows train, validate and test: decided by a hash of each row's key, so never by an engine's order.

A random or grouped split compares the hash with the ratios, so a row stays in its split when rows are added:
a model trained later is held out from the same rows. A stratified split ranks by hash within each class, a
split by time cuts the ordered rows and never inside one instant.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlops_assets.training.errors import TrainingError

Rows = NDArray[np.int64]
NAMES = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Splits:
    """Row numbers of each split, ascending (in a split by time: in time), and each row's key hash, (n,)."""

    rows: Mapping[str, Rows]
    hashes: NDArray[np.uint64]

    @property
    def held_out(self) -> str:
        """The split a model is judged on: test, or validation where test is empty."""
        return next((name for name in ("test", "validation") if len(self.rows[name])), "test")

    def row_set_hash(self, name: str) -> str:
        """SHA-256 over the sorted key hashes of a split: equal exactly where the same keys are in it."""
        return hashlib.sha256(np.sort(self.hashes[self.rows[name]]).tobytes()).hexdigest()


def key_hashes(frame: pl.DataFrame, keys: Sequence[str], salt: str = "") -> NDArray[np.uint64]:
    """The first 64 bits of MD5 over the salt and each row's key values as text, shape (n,).

    Spark's md5 gives the same. Instants count as microseconds since 1970 in UTC, null as an empty text;
    values are joined by U+001F.
    """
    parts = [pl.lit(salt), *(_text(frame[key]) for key in keys)]
    texts = frame.select(pl.concat_str(parts, separator="\x1f").cast(pl.Binary)).to_series()
    digests = b"".join([hashlib.md5(text, usedforsecurity=False).digest() for text in texts.to_list()])
    return np.frombuffer(digests, dtype=">u8")[::2].astype(np.uint64)


def _text(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime):
        column = column.dt.cast_time_unit("us").to_physical()
    return column.cast(pl.String).fill_null("")


def split(
    frame: pl.DataFrame,
    keys: Sequence[str],
    *,
    method: str,
    ratios: Sequence[float],
    seed: int = 0,
    by: str | None = None,
) -> Splits:
    """The splits of `frame`'s rows; two ratios are train and test, three have validation between them.

    `method` is random, stratified (`by` the label), grouped (`by` the group) or time (`by` the time column).
    Raises TrainingError where the train split has no row.
    """
    shares = (ratios[0], 0.0, ratios[1]) if len(ratios) == 2 else tuple(ratios)
    hashes = key_hashes(frame, keys)
    salted = key_hashes(frame, [by] if method == "grouped" and by else keys, salt=f"split {seed}")
    bounds = np.cumsum(shares)
    match method:
        case "time" if by:
            rows = _by_time(frame[by], salted, bounds)
        case "stratified" if by:
            rows = _stratified(frame[by], salted, bounds)
        case _:
            rows = _cut(np.arange(frame.height), salted / 2.0**64, bounds)
    if not len(rows["train"]):
        raise TrainingError(f"a {method} split of {frame.height} rows by {list(ratios)} leaves none to train on")
    if not (len(rows["validation"]) or len(rows["test"])):
        raise TrainingError(f"a {method} split of {frame.height} rows by {list(ratios)} leaves none to judge on")
    return Splits(rows, hashes)


def _cut(rows: Rows, position: NDArray[np.float64], bounds: NDArray[np.float64]) -> dict[str, Rows]:
    """Rows by where their position, in [0, 1), falls between the cumulated ratios."""
    place = np.searchsorted(bounds[:-1] - 1e-12, position, side="right")
    return {name: rows[place == number] for number, name in enumerate(NAMES)}


def _ranks(values: NDArray[np.uint64]) -> NDArray[np.float64]:
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks / max(len(values), 1)


def _stratified(label: pl.Series, salted: NDArray[np.uint64], bounds: NDArray[np.float64]) -> dict[str, Rows]:
    return _cut(np.arange(len(label)), _place_in_class(label, salted), bounds)


def _place_in_class(label: pl.Series, salted: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Each row's rank by hash among those of its class, in [0, 1); rows without a label are a class."""
    number = label.cast(pl.Int8) if label.dtype == pl.Boolean else label
    classes = number.rank("dense").fill_null(0).to_numpy()
    position = np.empty(len(label))
    for each in np.unique(classes):
        inside = classes == each
        position[inside] = _ranks(salted[inside])
    return position


def _by_time(times: pl.Series, salted: NDArray[np.uint64], bounds: NDArray[np.float64]) -> dict[str, Rows]:
    if times.null_count():
        raise TrainingError(f"{times.null_count()} rows have no time in '{times.name}', which the split is by")
    moments = times.to_physical().to_numpy()
    order = np.lexsort((salted, moments))
    first = between_instants(moments[order], [round(bound * len(order)) for bound in bounds[:-1]])
    return {name: order[start:end] for name, start, end in zip(NAMES, [0, *first], [*first, len(order)], strict=True)}


def between_instants(moments: NDArray[Any], cuts: Sequence[int]) -> list[int]:
    """Where to cut rows whose moments ascend, at `cuts` or before: rows of one instant stay on the later side."""
    return [int(np.searchsorted(moments, moments[cut])) if cut < len(moments) else cut for cut in cuts]


def folds(
    frame: pl.DataFrame,
    rows: Rows,
    keys: Sequence[str],
    *,
    method: str,
    count: int,
    seed: int,
    by: str | None,
) -> list[tuple[Rows, Rows]]:
    """`count` pairs of rows to train and test on, out of `rows`; by time, in which they then are, each trains on what
    came before, and none is cut inside one instant.

    Raises TrainingError where there are too few for that.
    """
    made = _folds(frame, rows, keys, method, count, seed, by)
    if not all(len(learn) and len(check) for learn, check in made):
        what = {"grouped": "groups", "time": "instants"}.get(method, "training rows")
        raise TrainingError(f"cross_validation_folds: {count} of {len(rows)} training rows leave a fold without {what}")
    return made


def _folds(
    frame: pl.DataFrame, rows: Rows, keys: Sequence[str], method: str, count: int, seed: int, by: str | None
) -> list[tuple[Rows, Rows]]:
    inner = frame[rows]
    if method == "time" and by:
        cuts = [len(rows) * (number + 1) // (count + 1) for number in range(count + 1)]
        edges = between_instants(inner[by].to_physical().to_numpy(), cuts)
        return [(rows[:start], rows[start:end]) for start, end in pairwise(edges)]
    salted = key_hashes(inner, [by] if method == "grouped" and by else keys, salt=f"folds {seed}")
    if method == "stratified" and by:
        bounds = np.arange(1, count + 1) / count
        place = np.searchsorted(bounds[:-1] - 1e-12, _place_in_class(inner[by], salted), side="right")
    elif method == "grouped":
        place = np.asarray(pl.Series(salted).rank("dense").to_numpy() % count, dtype=np.int64)
    else:
        place = (_ranks(salted) * count).astype(np.int64)
    return [(rows[place != number], rows[place == number]) for number in range(count)]
