"""A feature document: the source table, the tables joined to it, and the gold table of features."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from mlops_assets.config.base import Duration, Name, StrictModel, check_table_name, format_duration, refuse
from mlops_assets.config.feature_transforms import Polynomial, TransformSpec

# What the table of predictions says of a row beside its key and its time.
PREDICTION_COLUMNS = frozenset({"request_id", "time", "version", "prediction", "probability"})


def _list_or_mapping(value: Any) -> Any:
    texts = list(value) + list(value.values()) if isinstance(value, dict) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) and each for each in texts):
        raise refuse("needs a list of columns, or a mapping of left to right columns", "such as [origin, time_hour]")
    return value


def _each_once(values: list[Any], shown: Callable[[Any], str]) -> list[Any]:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise refuse(f"{shown(value)} is there twice")
    return values


class Join(StrictModel):
    """Looks up another table's columns by key, or as of the row's time."""

    table: Name = Field(description="Table to join: one of the project's, or a path.")
    on: Annotated[list[str] | dict[str, str], BeforeValidator(_list_or_mapping)] = Field(
        description="Key columns of the same name, or left column to right column."
    )
    as_of: str | None = Field(
        default=None, description="The right table's time column; none means a plain lookup by key."
    )
    left_time: str | None = Field(
        default=None,
        description="The left table's time column; the document's timestamp_column if not given.",
    )
    tolerance: Duration | None = Field(default=None, description="Maximum age of the joined row.")
    allow_exact: bool = Field(default=True, description="Whether a row of exactly the same instant may be joined.")
    columns: list[Name] = Field(default=[], description="Columns to take; empty means all but the keys.")
    rename: dict[Name, Name] = Field(default={}, description="Column of the right table to its name here.")
    prefix: str = Field(default="", description="Text put before the names of the taken columns.")

    @model_validator(mode="after")
    def _says_nothing_in_vain(self) -> Self:
        of_time = {"left_time": self.left_time is not None, "tolerance": self.tolerance is not None}
        for field, given in {**of_time, "allow_exact": not self.allow_exact}.items():
            if given and self.as_of is None:
                hint = f"name the time column of '{self.table}' as as_of"
                raise refuse("a lookup by key heeds no time", hint, field=field)
        for column in self.rename:
            if self.columns and column not in self.columns:
                raise refuse(f"'{column}' is none of the columns that are taken", "add it to columns", field="rename")
        return self


class Aggregate(StrictModel):
    """A column of the source aggregated over each row's past, excluding all rows of the same instant."""

    column: Name = Field(
        description="Column of the source to aggregate; the sum of amount over 7d is the feature amount_sum_7d, or "
        "amount_sum_7d_by_shop if by is [shop]."
    )
    functions: list[Literal["count", "sum", "mean", "min", "max", "std", "n_unique", "last"]] = Field(
        min_length=1, description="Aggregates to make; nulls are left out."
    )
    by: list[Name] = Field(
        default=[], description="Columns that group the rows; if empty, the primary keys without the timestamp."
    )
    windows: list[Duration] = Field(min_length=1, description="How far each aggregate looks back from the row's time.")

    @field_validator("windows")
    @classmethod
    def _some_time(cls, windows: list[timedelta]) -> list[timedelta]:
        if not all(windows):
            raise refuse("a window of no length holds no row")
        return _each_once(windows, format_duration)

    @field_validator("functions")
    @classmethod
    def _functions_once(cls, functions: list[str]) -> list[str]:
        return _each_once(functions, repr)

    @property
    def names(self) -> list[str]:
        """The columns it makes."""
        return [self.name_of(function, window) for window in self.windows for function in self.functions]

    def name_of(self, function: str, window: timedelta) -> str:
        """The column of one function over one window."""
        by = f"_by_{'_'.join(self.by)}" if self.by else ""
        return f"{self.column}_{function}_{format_duration(window)}{by}"


class FeatureConfig(StrictModel):
    """A gold table of features, one row per primary key and instant."""

    synonyms: ClassVar[dict[str, str]] = {"partitioning_columns": "partition_columns"}

    source_table: Name = Field(description="Source table for feature creation.")
    feature_table_name: Annotated[Name, AfterValidator(check_table_name)] = Field(
        description="Name for the output feature table; its last part is the table's name."
    )
    primary_keys: list[Name] = Field(min_length=1, description="Primary key column(s).")
    features: list[Name] = Field(description="List of features to include; empty means all columns.")
    timestamp_column: Name = Field(description="Column for temporal tracking: when the row's values were known.")
    partition_columns: list[Name] = Field(
        default=[], description="Columns to partition feature table by; partitioning_columns means the same."
    )
    description: str = Field(default="", description="Feature table description.")
    tags: dict[Name, str] = Field(default={}, description="Metadata tags.")
    online_store_enabled: bool = Field(
        default=False,
        description="Enable online feature store: the newest row of each key, in "
        "$MLOPS_HOME/online/<project>/<table>.sqlite or on the platform's Redis server.",
    )
    offline_store_path: str | None = Field(
        default=None,
        description="Path for offline feature store: another name by which other documents may read the table.",
    )
    joins: list[Join] = Field(default=[], description="Tables to join to the source, in order.")
    aggregates: list[Aggregate] = Field(
        default=[], description="Aggregates over each row's past; they are features without being listed."
    )
    feature_transformations: dict[Name, list[TransformSpec]] = Field(
        default={},
        description="Feature-specific transformations: one for a column, or a list applied in order.",
    )

    @field_validator("feature_transformations", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: [spec] if isinstance(spec, dict) else spec for name, spec in value.items()}

    @model_validator(mode="after")
    def _powers_of_something(self) -> Self:
        for column, specs in self.feature_transformations.items():
            first = specs[0] if specs else None
            if isinstance(first, Polynomial) and first.interaction_only:
                reason = "the products of one column with itself are its powers, which interaction_only leaves out"
                raise refuse(f"'{column}': {reason}: nothing is made", field="feature_transformations")
        return self

    @model_validator(mode="after")
    def _aggregates_have_keys(self) -> Self:
        for aggregate in self.aggregates:
            if not self.grouped_by(aggregate):
                raise refuse(f"'{aggregate.column}' needs by: the primary keys are the time alone", field="aggregates")
        return self

    def grouped_by(self, aggregate: Aggregate) -> list[str]:
        """The columns that an aggregate groups by."""
        return aggregate.by or [key for key in self.primary_keys if key != self.timestamp_column]

    @property
    def aggregate_columns(self) -> list[str]:
        """The columns that the aggregates make."""
        return [name for aggregate in self.aggregates for name in aggregate.names]
