"""Search spaces: the ranges of hyperparameters that a search samples from."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mlops_assets.config.base import Number, Scalar, StrictModel, Whole, refuse


class IntRange(StrictModel):
    """Whole numbers from low to high."""

    type: Literal["int"] = Field(description="Whole numbers from low to high.")
    low: Whole = Field(description="Smallest value.")
    high: Whole = Field(description="Largest value, which may be taken too.")
    log: bool = Field(default=False, description="Whether small values are tried as often as large ones.")
    step: Annotated[Whole, Field(ge=1)] = Field(default=1, description="Distance of the values.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        _check(self.low, self.high, log=self.log, stepped=self.step != 1)
        return self

    def holds(self, value: Any) -> bool:
        """Whether a value can be taken."""
        return type(value) is int and self.low <= value <= self.high and (value - self.low) % self.step == 0


class FloatRange(StrictModel):
    """Numbers from low to high."""

    type: Literal["float"] = Field(description="Numbers from low to high.")
    low: Number = Field(description="Smallest value.")
    high: Number = Field(description="Largest value, which may be taken too.")
    log: bool = Field(default=False, description="Whether small values are tried as often as large ones.")
    step: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="Distance of the values; any value between low and high if not given."
    )

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        _check(self.low, self.high, log=self.log, stepped=self.step is not None)
        return self

    def holds(self, value: Any) -> bool:
        """Whether a value can be taken."""
        inside = type(value) in (int, float) and self.low <= value <= self.high
        steps = (value - self.low) / self.step if inside and self.step else 0.0
        return inside and abs(steps - round(steps)) < 1e-8


class Choices(StrictModel):
    """A few values, in no order."""

    type: Literal["categorical"] = Field(description="A few values, in no order.")
    choices: list[Scalar] = Field(min_length=1, description="The values.")

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return any(type(each) is type(value) and each == value for each in self.choices)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({(type(each), each) for each in self.choices}) < len(self.choices):
            raise refuse(f"{self.choices} has a value twice", field="choices")
        return self


SearchRange = Annotated[IntRange | FloatRange | Choices, Field(discriminator="type")]


def _check(low: float, high: float, *, log: bool, stepped: bool) -> None:
    if low > high:
        raise refuse(f"{low} is above high {high}", field="low")
    if log and low <= 0:
        raise refuse(f"{low} has no logarithm", "start above 0, or leave log out", field="low")
    if log and stepped:
        raise refuse("log and step exclude each other", field="step")
