from datetime import date, datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.monitoring.bins import CategoryBins, NumericBins, quantile_edges
from mlops_assets.monitoring.histogram import EdgeGrid
from mlops_assets.monitoring.levels import LevelTable, _slot
from mlops_assets.monitoring.profile import (
    FRAME_SCHEMA,
    fit_reference,
    from_frame,
    merge_profiles,
    reference_from_frame,
    summarise,
    to_frame,
)

COLUMNS = ["delay", "distance", "carrier", "cancelled", "departed", "tail"]


def flights(rows, seed=0, carriers=("AA", "UA", "DL")):
    random = np.random.default_rng(seed)
    delay = random.normal(8, 40, rows)
    delay[random.random(rows) < 0.02] = np.nan
    start = np.datetime64("2013-01-01")
    return pl.DataFrame(
        {
            "delay": delay,
            "distance": random.integers(100, 3000, rows),
            "carrier": random.choice(carriers, rows),
            "cancelled": random.random(rows) < 0.03,
            "departed": start
            + random.integers(0, 365 * 86_400, rows).astype("timedelta64[s]").astype("timedelta64[us]"),
            "tail": random.choice([f"N{index}" for index in range(50)], rows),
        }
    ).with_columns(pl.when(pl.col("carrier") == "DL").then(None).otherwise(pl.col("tail")).alias("tail"))


def test_the_reference_counts_its_own_rows_as_summarise_does():
    frame = flights(20_000)
    reference = fit_reference(frame, COLUMNS)
    again = summarise(frame.lazy(), reference)
    for name, column in reference.profile.columns.items():
        assert again.columns[name].counts.tolist() == column.counts.tolist()
        assert again.columns[name].sums == pytest.approx(column.sums)
        assert again.columns[name].deviation == pytest.approx(column.deviation)
        assert again.columns[name].rows == 20_000
    assert again.columns["delay"].null == frame["delay"].is_nan().sum()
    assert again.columns["tail"].null == (frame["carrier"] == "DL").sum()


def test_counts_and_sums_are_those_of_a_plain_loop():
    reference = fit_reference(flights(5000), ["delay", "carrier"])
    current = flights(3000, seed=1, carriers=("AA", "WN"))
    profile = summarise(current, reference)
    delay = profile.columns["delay"]
    values = current["delay"].drop_nans().to_numpy()
    edges = [-np.inf, *delay.bins.edges, np.inf]
    for index, (lower, upper) in enumerate(pairwise(edges)):
        inside = values[(values > lower) & (values <= upper)]
        assert (delay.counts[index], delay.sums[index]) == (len(inside), pytest.approx(inside.sum()))
    assert (delay.minimum, delay.maximum) == (values.min(), values.max())
    assert (delay.mean, delay.deviation) == (pytest.approx(values.mean()), pytest.approx(values.std()))
    carrier = profile.columns["carrier"]
    counts = dict(zip(carrier.bins.levels, carrier.counts.tolist(), strict=True))
    assert counts == {"AA": (current["carrier"] == "AA").sum(), "UA": 0, "DL": 0}
    assert (carrier.unseen, carrier.other) == ((current["carrier"] == "WN").sum(), 0)


@settings(derandomize=True, max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_profiles_of_parts_add_up_to_that_of_the_whole_in_any_order(sizes, shuffler):
    whole = flights(sum(sizes), seed=7)
    reference = fit_reference(flights(1000), COLUMNS)
    ends = np.cumsum([0, *sizes])
    parts = [summarise(whole[int(a) : int(b)], reference) for a, b in pairwise(ends)]
    shuffler.shuffle(parts)
    merged, direct = merge_profiles(parts), summarise(whole, reference)
    assert merged.rows == direct.rows
    exact = pl.exclude("sum")
    assert to_frame(merged).select(exact).equals(to_frame(direct).select(exact))
    assert np.allclose(to_frame(merged)["sum"].fill_null(0), to_frame(direct)["sum"].fill_null(0))


def test_a_stored_reference_counts_as_the_fitted_one(tmp_path):
    reference = fit_reference(flights(4000), COLUMNS, max_levels=20)
    write_deltalake(tmp_path / "reference", to_frame(reference).sample(fraction=1, shuffle=True, seed=1).to_arrow())
    stored = reference_from_frame(pl.from_arrow(DeltaTable(tmp_path / "reference").to_pyarrow_table()))
    assert stored.reference_id == reference.reference_id
    current = flights(900, seed=2)
    assert set(to_frame(summarise(current, stored)).rows()) == set(to_frame(summarise(current, reference)).rows())
    assert stored.bins["tail"].complete is False
    assert stored.bins["departed"].temporal is True


def test_a_stored_profile_comes_back_whole():
    profile = summarise(flights(700, seed=3), fit_reference(flights(2000), COLUMNS))
    stored = to_frame(profile)
    assert stored.schema == FRAME_SCHEMA
    assert to_frame(from_frame(stored)).equals(stored)
    assert from_frame(stored).rows == 700


def test_rows_of_two_references_are_no_profile():
    first, second = (to_frame(fit_reference(flights(500, seed=seed), ["delay"])) for seed in (0, 1))
    with pytest.raises(ValueError, match="2 references"):
        from_frame(pl.concat([first, second]))
    with pytest.raises(ValueError, match="different references"):
        from_frame(first).merge(from_frame(second))


def test_lost_rows_of_a_stored_profile_are_noticed():
    stored = to_frame(fit_reference(flights(500), ["delay", "carrier"]))
    with pytest.raises(ValueError, match="stored whole"):
        from_frame(stored.filter((pl.col("column") != "delay") | (pl.col("bin").fill_null(1) != 0)))


def test_levels_beyond_the_limit_are_other():
    reference = fit_reference(pl.DataFrame({"tail": ["a"] * 5 + ["b"] * 3 + ["c"]}), ["tail"], max_levels=2)
    assert reference.bins["tail"].levels == ("a", "b")
    assert reference.profile.columns["tail"].other == 1
    found = summarise(pl.DataFrame({"tail": ["a", "c", "new", None]}), reference).columns["tail"]
    assert (found.counts.tolist(), found.other, found.unseen, found.null) == ([1, 0], 2, 0, 1)


def test_equal_edges_are_merged_and_spikes_stand_alone():
    values = np.sort(np.concatenate([np.zeros(700), np.random.default_rng(0).exponential(size=300)]))
    edges = quantile_edges(values, 10)
    assert (np.diff(edges) > 0).all()
    assert edges[:2].tolist() == [np.nextafter(0.0, -1), 0.0]
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    assert counts[:2].tolist() == [0, 700]


def test_a_constant_column_has_a_bin_below_at_and_above():
    reference = fit_reference(pl.DataFrame({"fee": [5.0] * 100}), ["fee"])
    found = summarise(pl.DataFrame({"fee": [4.9, 5.0, 5.0, 5.1]}), reference).columns["fee"]
    assert found.counts.tolist() == [1, 2, 1]


def test_a_verdict_bin_is_a_union_of_fine_bins():
    reference = fit_reference(flights(50_000), ["delay"], bins=10, fine_bins=64)
    column = reference.profile.columns["delay"]
    assert isinstance(column.bins, NumericBins)
    assert column.bins.size >= 64
    counts = column.verdict_counts()
    assert counts[:10] == pytest.approx(counts[:10].mean(), rel=0.001)
    assert counts.sum() == 50_000


floats = st.floats(allow_nan=False) | st.floats(-3, 3) | st.sampled_from([0.0, 1.0, np.nextafter(1.0, 0.0)])


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(floats, max_size=100, unique=True), st.lists(floats, min_size=1, max_size=50))
def test_the_table_of_cells_finds_the_bin_that_a_binary_search_finds(edges, values):
    edges = np.unique(edges)
    edges = edges[np.abs(edges) < 1e308]
    probed = np.concatenate([values, edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)])
    assert EdgeGrid(edges).bin_of(probed).tolist() == np.searchsorted(edges, probed).tolist()


def test_edges_crowded_by_one_outlier_are_still_found():
    edges = np.sort(np.append(np.random.default_rng(0).normal(size=200), 1e9))
    values = np.random.default_rng(1).normal(size=10_000)
    assert EdgeGrid(edges).bin_of(values).tolist() == np.searchsorted(edges, values).tolist()


def test_infinite_values_are_counted_at_the_ends_and_not_summed():
    reference = fit_reference(pl.DataFrame({"x": [float(value) for value in range(100)]}), ["x"])
    found = summarise(pl.DataFrame({"x": [-np.inf, 10.0, 20.0, np.inf, np.nan]}), reference).columns["x"]
    assert (found.counts[0], found.counts[-1], found.null, found.sums.sum()) == (1, 1, 1, 30.0)


def test_an_empty_window_is_a_profile_of_nothing():
    reference = fit_reference(flights(500), COLUMNS)
    empty = summarise(flights(500).clear(), reference)
    assert empty.rows == 0
    assert to_frame(from_frame(to_frame(empty))).equals(to_frame(empty))
    day = summarise(flights(50, seed=1), reference)
    assert to_frame(day.merge(empty)).equals(to_frame(day))


def test_a_column_of_nulls_alone_is_counted_as_such():
    reference = fit_reference(flights(500), ["delay", "carrier"])
    nothing = pl.DataFrame({"delay": [None, None], "carrier": [None, None]})
    found = summarise(nothing, reference)
    assert [column.null for column in found.columns.values()] == [2, 2]
    assert [column.unseen for column in found.columns.values()] == [0, 0]


def test_columns_of_every_type_are_profiled():
    frame = pl.DataFrame(
        {
            "day": [date(2013, 1, 1), date(2013, 1, 2), None],
            "time": [datetime(2013, 1, 1, 5), None, datetime(2013, 1, 2)],
            "cents": pl.Series([1, 2, 3]).cast(pl.Decimal(10, 2)),
            "level": pl.Series(["a", "b", "a"], dtype=pl.Enum(["a", "b"])),
            "small": pl.Series([1, 2, 3], dtype=pl.UInt8),
            "flag": [True, None, False],
        }
    )
    profile = summarise(frame, fit_reference(frame, frame.columns))
    assert {name: column.rows for name, column in profile.columns.items()} == dict.fromkeys(frame.columns, 3)
    assert profile.columns["day"].minimum == datetime(2013, 1, 1).timestamp() * 1e6
    levels = {
        name: column.bins.levels for name, column in profile.columns.items() if isinstance(column.bins, CategoryBins)
    }
    assert levels == {"level": ("a", "b"), "flag": ("false", "true")}


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pl.DataFrame({"dleay": [1.0]}), "no column 'delay'.*did you mean 'dleay'"),
        (pl.DataFrame({"delay": ["late"]}), "'delay' was a number in the reference and is a category"),
        (pl.DataFrame({"delay": [[1.0]]}), "type List"),
    ],
)
def test_a_window_that_does_not_fit_the_reference_says_why(frame, said):
    with pytest.raises(ValueError, match=said):
        summarise(frame, fit_reference(flights(500), ["delay"]))


def test_levels_that_share_a_slot_and_texts_that_are_no_level_are_counted_as_by_hand():
    names = [f"level {index}" for index in range(2_000)]
    table = LevelTable(pl.Enum(names))
    assert len(set(_slot(table.hashes, len(table.level_at)).tolist())) < len(names)
    texts = pl.Series([*names, *names[::2], None, "unseen", ""], dtype=pl.String)
    assert table.count(texts).tolist() == [2, 1] * 1_000
    assert LevelTable(pl.Enum([])).count(texts).tolist() == []
