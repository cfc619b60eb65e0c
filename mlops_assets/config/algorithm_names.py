"""The short names of algorithms; the training package maps them to classes."""

from typing import Annotated

from pydantic import Field

ALGORITHM_NAMES = (
    *("random_forest", "extra_trees", "gradient_boosting", "hist_gradient_boosting", "ada_boost", "bagging"),
    *("decision_tree", "logistic_regression", "linear", "linear_regression", "ridge", "lasso", "elastic_net", "sgd"),
    *("k_nearest_neighbors", "svm", "mlp", "naive_bayes", "gaussian_process", "dummy", "xgboost", "lightgbm"),
    *("kmeans", "mini_batch_kmeans", "gaussian_mixture"),
    *("isolation_forest", "one_class_svm", "elliptic_envelope"),
)
Algorithm = Annotated[
    str, Field(json_schema_extra={"anyOf": [{"enum": list(ALGORITHM_NAMES)}, {"pattern": r"\."}], "type": "string"})
]
