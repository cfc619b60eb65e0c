"""The transformations of a feature column; those that learn are fitted inside the model."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mlops_assets.config.base import Name, Number, Scalar, StrictModel, Whole, refuse


def _each_once(categories: list[Any]) -> list[Any]:
    for place, each in enumerate(categories):
        if each in categories[:place]:
            raise refuse(f"{each!r} is among them twice", "each category once")
    return categories


Categories = Annotated[list[Scalar], AfterValidator(_each_once)]


class OneHotEncode(StrictModel):
    """One column of 0 and 1 for each category."""

    type: Literal["one_hot_encode"] = Field(description="One column of 0 and 1 for each category.")
    output_columns: list[Name] = Field(
        default=[], description="Names of the outputs, in the order of the categories; else column_category."
    )
    categories: Categories = Field(default=[], description="Categories in order; empty means the sorted values seen.")

    @model_validator(mode="after")
    def _as_many_names_as_categories(self) -> Self:
        if self.categories and self.output_columns and len(self.categories) != len(self.output_columns):
            names, categories = len(self.output_columns), len(self.categories)
            raise refuse(f"{names} names for {categories} categories", field="output_columns")
        return self


class OrdinalEncode(StrictModel):
    """The category's number in an order; an unseen category is -1."""

    type: Literal["ordinal_encode"] = Field(description="The category's number in an order.")
    categories: Categories = Field(default=[], description="Categories in order; empty means the sorted values seen.")


class TargetEncode(StrictModel):
    """The target's mean of the category, cross-fitted on the training rows."""

    type: Literal["target_encode"] = Field(description="The target's mean of the category, cross-fitted.")
    smooth: Annotated[Number, Field(ge=0)] | Literal["auto"] = Field(
        default="auto",
        description="Weight of the overall mean, in rows; auto is the empirical Bayes estimate.",
    )


class Scaling(StrictModel):
    """Brings a number to a common scale."""

    type: Literal["scaling"] = Field(description="Brings a number to a common scale.")
    method: Literal["min_max", "standard", "robust", "quantile"] = Field(
        default="standard",
        description="min_max to 0..1, standard to mean 0 and deviation 1, robust by quartiles.",
    )


class Log(StrictModel):
    """The natural logarithm of one plus the value."""

    type: Literal["log"] = Field(description="The natural logarithm of one plus the value.")


class Power(StrictModel):
    """A power transform that makes a number more normal."""

    type: Literal["power"] = Field(description="A power transform that makes a number more normal.")
    method: Literal["yeo_johnson", "box_cox"] = Field(
        default="yeo_johnson", description="yeo_johnson takes any number, box_cox positive ones only."
    )


class Bucketize(StrictModel):
    """The number of the bin a value falls in."""

    type: Literal["bucketize"] = Field(description="The number of the bin a value falls in.")
    n_bins: Annotated[Whole, Field(ge=2)] | None = Field(
        default=None, description="Bins of equal counts learned from the training rows."
    )
    edges: list[Number] = Field(default=[], description="Inner edges of the bins, ascending, in the column's units.")

    @model_validator(mode="after")
    def _bins_or_edges(self) -> Self:
        if (self.n_bins is None) == (not self.edges):
            raise refuse("bucketize needs either n_bins or edges")
        if self.edges != sorted(set(self.edges)):
            raise refuse(f"{self.edges} does not ascend", field="edges")
        return self


class Impute(StrictModel):
    """Puts a learned or a given value where the column is null."""

    type: Literal["impute"] = Field(description="Puts a learned or a given value where the column is null.")
    strategy: Literal["mean", "median", "most_frequent", "constant"] = Field(
        default="median", description="Which value of the training rows stands in; constant takes fill_value."
    )
    fill_value: Scalar = Field(default=None, description="The value of strategy constant.")

    @model_validator(mode="after")
    def _constant_has_a_value(self) -> Self:
        if (self.strategy == "constant") != (self.fill_value is not None):
            raise refuse("'constant' and fill_value go together, and only so", field="strategy")
        return self


class Clip(StrictModel):
    """Holds a number between two bounds."""

    type: Literal["clip"] = Field(description="Holds a number between two bounds.")
    lower: Number | None = Field(default=None, description="Lower bound, in the column's units.")
    upper: Number | None = Field(default=None, description="Upper bound, in the column's units.")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.lower is None and self.upper is None:
            raise refuse("clip needs lower, upper or both")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise refuse(f"{self.lower} is above upper {self.upper}", field="lower")
        return self


class HashFeatures(StrictModel):
    """A fixed number of columns a category is hashed into."""

    type: Literal["hash"] = Field(description="A fixed number of columns a category is hashed into.")
    n_features: Whole = Field(default=16, ge=1, le=65536, description="Number of columns.")


class DatetimeParts(StrictModel):
    """Parts of an instant as numbers."""

    type: Literal["datetime_parts"] = Field(description="Parts of an instant as numbers.")
    parts: list[
        Literal["year", "quarter", "month", "week", "day", "dayofyear", "dayofweek", "hour", "minute", "is_weekend"]
    ] = Field(default=["month", "dayofweek", "hour"], min_length=1, description="The parts; Monday is 0.")


class TextLength(StrictModel):
    """The length of a text in code points."""

    type: Literal["text_length"] = Field(description="The length of a text in code points.")


class Tfidf(StrictModel):
    """Weights of a text's words."""

    type: Literal["tfidf"] = Field(description="Weights of a text's words.")
    max_features: Whole = Field(default=100, ge=1, description="Words that are kept, the most frequent first.")


class Polynomial(StrictModel):
    """Powers of a number."""

    type: Literal["polynomial"] = Field(description="Powers and products of numbers.")
    degree: Whole = Field(default=2, ge=1, le=10, description="Highest degree.")
    interaction_only: bool = Field(default=False, description="Whether powers of one column are left out.")


class SklearnTransform(StrictModel):
    """Any scikit-learn transformer, by its dotted name."""

    type: Literal["sklearn"] = Field(description="Any scikit-learn transformer.")
    transformer: str = Field(
        pattern=r"^sklearn(\.[A-Za-z_]\w*)+$",
        description="Dotted name, such as sklearn.preprocessing.SplineTransformer.",
    )
    parameters: dict[str, Any] = Field(default={}, description="Arguments of its constructor.")


TransformSpec = Annotated[
    OneHotEncode
    | OrdinalEncode
    | TargetEncode
    | Scaling
    | Log
    | Power
    | Bucketize
    | Impute
    | Clip
    | HashFeatures
    | DatetimeParts
    | TextLength
    | Tfidf
    | Polynomial
    | SklearnTransform,
    Field(discriminator="type"),
]
