"""Endpoint tests: what a version has to pass over HTTP to stay deployed."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mlops_assets.config.base import Name, Number, StrictModel, Whole


class SchemaTest(StrictModel):
    """The endpoint's signature is the model's, and wrong input is refused."""

    type: Literal["schema"] = Field(description="The endpoint's signature is the model's; wrong input is refused.")

    @property
    def promise(self) -> str:
        """What the check of the deployment holds, in a sentence."""
        return "The endpoint's signature is the model's, and wrong input is refused."


class GoldenRowsTest(StrictModel):
    """The endpoint predicts what the model predicts offline."""

    type: Literal["golden_rows"] = Field(description="The endpoint predicts what the model predicts offline.")
    rows: Whole = Field(default=50, ge=1, le=10_000, description="Held-out rows to send.")
    tolerance: Number = Field(default=1e-9, ge=0, description="Absolute difference that is overlooked.")

    @property
    def promise(self) -> str:
        """What the check of the deployment holds, in a sentence."""
        return f"The endpoint says of {self.rows} held-out rows what the model says offline."


class LatencyTest(StrictModel):
    """The endpoint answers one row in time."""

    type: Literal["latency"] = Field(description="The endpoint answers one row in time.")
    p95_ms: Number = Field(default=500, gt=0, description="Largest 95th percentile of the latency, in milliseconds.")
    requests: Whole = Field(default=50, ge=1, le=10_000, description="Requests to send, one after another.")

    @property
    def promise(self) -> str:
        """What the check of the deployment holds, in a sentence."""
        return f"95 % of {self.requests} requests of one row each are answered within {self.p95_ms:g} ms."


class LoadTest(StrictModel):
    """The endpoint answers all of many concurrent requests."""

    type: Literal["load"] = Field(description="The endpoint answers all of many concurrent requests.")
    connections: Whole = Field(default=8, ge=1, le=1_000, description="Requests in flight at a time.")
    seconds: Number = Field(default=10, gt=0, description="How long the load lasts, in seconds.")

    @property
    def promise(self) -> str:
        """What the check of the deployment holds, in a sentence."""
        return f"{self.connections} callers at a time are all answered, for {self.seconds:g} s."


class InvarianceTest(StrictModel):
    """Predictions do not change with columns that must not matter."""

    type: Literal["invariance"] = Field(description="Predictions do not change with columns that must not matter.")
    columns: list[Name] = Field(min_length=1, description="Columns whose values are exchanged between rows.")
    tolerance: Number = Field(default=1e-9, ge=0, description="Absolute difference that is overlooked.")

    @property
    def promise(self) -> str:
        """What the check of the deployment holds, in a sentence."""
        return f"Predictions do not change with {', '.join(self.columns)}."


EndpointTest = Annotated[
    SchemaTest | GoldenRowsTest | LatencyTest | LoadTest | InvarianceTest, Field(discriminator="type")
]
DEFAULT_TESTS: list[Any] = [
    SchemaTest(type="schema"),
    GoldenRowsTest(type="golden_rows"),
    LatencyTest(type="latency", p95_ms=500),
]
