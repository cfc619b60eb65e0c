"""Reader options of text sources (CSV, JSON)."""

from typing import Annotated, Literal

from pydantic import Field

from mlops_assets.config.base import StrictModel

OneCharacter = Annotated[str, Field(min_length=1, max_length=1)]


class ReaderOptions(StrictModel):
    """How a text source (CSV, JSON) is read."""

    header: bool = Field(default=True, description="Whether the first line names the columns.")
    delimiter: OneCharacter = Field(default=",", description="Character between values.")
    encoding: Literal["utf8", "utf8-lossy", "utf16", "latin1", "cp1252"] = Field(
        default="utf8",
        description="Encoding of the files; utf8-lossy replaces invalid bytes by a replacement character.",
    )
    null_values: list[str] = Field(default=[""], description="Texts that mean null.")
    quote_char: OneCharacter | None = Field(default='"', description="Character around quoted values.")
    date_format: str | None = Field(default=None, description="strptime format of dates; ISO 8601 if not given.")
    datetime_format: str | None = Field(default=None, description="strptime format of instants; ISO 8601 if not given.")
