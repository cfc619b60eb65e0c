"""The transformation steps of a data document, run before its rules; each is a `type` with its arguments."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from mlops_assets.config.base import Name, Scalar, StrictModel, refuse

ColumnType = Literal["int", "float", "decimal", "string", "bool", "date", "datetime"]
Columns = Annotated[list[Name], Field(min_length=1)]


class DropColumns(StrictModel):
    """Removes columns."""

    type: Literal["drop_columns"] = Field(description="Removes columns.")
    columns: Columns = Field(description="Columns to remove.")


class RenameColumns(StrictModel):
    """Gives columns new names."""

    type: Literal["rename_columns"] = Field(description="Gives columns new names.")
    mapping: dict[Name, Name] = Field(description="Old name to new name.", min_length=1)


class Cast(StrictModel):
    """Changes columns' types; a value that cannot be read as the new type quarantines its row."""

    type: Literal["cast"] = Field(description="Changes columns' types.")
    columns: dict[Name, ColumnType] = Field(
        description="Column to its new type. A number becomes a date by its whole days from 1970 and an instant by its "
        "microseconds; a float becomes a decimal rounded to nine places.",
        min_length=1,
    )


class FillNull(StrictModel):
    """Puts a constant where a column is null."""

    type: Literal["fill_null"] = Field(description="Puts a constant where a column is null.")
    values: dict[Name, Scalar] = Field(description="Column to the constant.", min_length=1)


class Filter(StrictModel):
    """Keeps the rows where the condition is true; the others are counted as removed, not quarantined."""

    type: Literal["filter"] = Field(description="Keeps the rows where a condition is true.")
    condition: Name = Field(description="Condition in the rule language.")


class Derive(StrictModel):
    """Adds columns computed from a row's other columns."""

    type: Literal["derive"] = Field(description="Adds columns computed from a row's other columns.")
    columns: dict[Name, Name] = Field(description="New column to its expression in the rule language.", min_length=1)


class Deduplicate(StrictModel):
    """Keeps one row per key among the rows of one run."""

    type: Literal["deduplicate"] = Field(
        description="Keeps one row per key among the rows of one run; only a merge (primary_keys) also compares with "
        "the rows in the table."
    )
    keys: Columns = Field(description="Columns that make the key.")
    order_by: list[Name] = Field(
        default=[], description="Columns that order rows of one key; empty means order of arrival."
    )
    keep: Literal["first", "last"] = Field(default="last", description="Which row of that order stays.")


class Trim(StrictModel):
    """Removes white space at both ends of strings."""

    type: Literal["trim"] = Field(description="Removes white space at both ends of strings.")
    columns: Columns = Field(description="String columns.")


class Lower(StrictModel):
    """Turns strings into lower case."""

    type: Literal["lower"] = Field(description="Turns strings into lower case.")
    columns: Columns = Field(description="String columns.")


class Upper(StrictModel):
    """Turns strings into upper case."""

    type: Literal["upper"] = Field(description="Turns strings into upper case.")
    columns: Columns = Field(description="String columns.")


class ParseDate(StrictModel):
    """Reads dates from strings; a text that does not fit the format quarantines its row."""

    type: Literal["parse_date"] = Field(description="Reads dates or instants from strings.")
    columns: Columns = Field(description="String columns.")
    format: Name = Field(description="Format in strptime's letters, such as %Y-%m-%d.")
    datetime: bool = Field(default=False, description="Whether the result is an instant (UTC) rather than a date.")


class Explode(StrictModel):
    """Makes one row of each element of list columns."""

    type: Literal["explode"] = Field(description="Makes one row of each element of list columns.")
    columns: Columns = Field(description="List columns of equal lengths.")


class Split(StrictModel):
    """Splits a string column into several."""

    type: Literal["split"] = Field(description="Splits a string column into several.")
    column: Name = Field(description="String column to split.")
    separator: Name = Field(description="Literal text between the parts.")
    into: Columns = Field(description="Names of the parts; the last takes the rest, missing parts are null.")

    @field_validator("into")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise refuse("a name is there twice")
        return names


class Hash(StrictModel):
    """Replaces values by their SHA-256 in hexadecimal, so that they can be joined but not read."""

    type: Literal["hash"] = Field(description="Replaces values by their SHA-256 in hexadecimal.")
    columns: Columns = Field(description="Columns to hash; nulls stay null.")
    salt: SecretStr | None = Field(default=None, description="Secret text put before each value.")


TransformStep = Annotated[
    DropColumns
    | RenameColumns
    | Cast
    | FillNull
    | Filter
    | Derive
    | Deduplicate
    | Trim
    | Lower
    | Upper
    | ParseDate
    | Explode
    | Split
    | Hash,
    Field(discriminator="type"),
]
