"""Unity Catalog's conventions for models: three-level names, tags without dots and of limited length."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "mlops."  # of this package's tags elsewhere
UNITY_PREFIX = "mlops_"  # Unity Catalog takes none of . , - = / : in a tag's name
LONGEST = 1000
ON_THE_RUN = "(on the run)"


@dataclass(frozen=True)
class UnityModels:
    """The schema that models without dots in their names are registered in, those of further environments, and the
    folder of experiments.
    """

    schema: str
    environments: Mapping[str, str] = field(default_factory=dict)
    experiments: str = "/Shared"

    def name(self, model: str) -> str:
        """`catalog.schema.model`."""
        return f"{self.schema}.{model}" if "." not in model else model

    def name_in(self, model: str, environment: str) -> str:
        """The model's name in the schema of an environment, which may be the same."""
        schema = self.environments.get(environment)
        return f"{schema}.{model.rpartition('.')[2]}" if schema else self.name(model)

    def experiment(self, name: str) -> str:
        """An absolute path in the workspace."""
        return name if name.startswith("/") else f"{self.experiments.rstrip('/')}/{name}"


def tag_name(name: str) -> str:
    """A tag's name in the characters that Unity Catalog allows."""
    return UNITY_PREFIX + name.removeprefix(PREFIX).replace(".", "_")


def logged_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """A new version's tags; values that are too long for Unity Catalog are set on its run instead."""
    return {tag_name(name): value.strip() if len(value) <= LONGEST else ON_THE_RUN for name, value in tags.items()}


def read_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """A version's tags under their names outside Unity Catalog."""
    return {
        f"{PREFIX}{name.removeprefix(UNITY_PREFIX)}" if name.startswith(UNITY_PREFIX) else name: value
        for name, value in tags.items()
    }
