"""A project as a Dagster component, for teams whose definitions live in a `defs` folder and who work with `dg`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import click
import dagster as dg
import yaml
from dagster.components import Scaffolder, ScaffoldRequest
from pydantic import BaseModel, Field

from mlops_assets.assemble import project_definitions
from mlops_assets.config import ConfigError, load_projects
from mlops_assets.resources.platforms import resources_for
from mlops_assets.scaffold import ScaffoldError, write_project

FIRST_DOCUMENT = """\
# The other documents go into this folder: data.yaml, features.yaml, training.yaml, deployment.yaml, monitoring.yaml.
name: {name}
owner: {name}
environment: development
"""


class ProjectParams(BaseModel):
    """Options of `dg scaffold defs mlops_assets.MlopsProject`."""

    source: str | None = Field(default=None, description="A file, a folder of files or a Delta table to learn from.")
    target: str | None = Field(default=None, description="Column to predict; guessed where it is not given.")
    owner: str | None = Field(default=None, description="E-mail address or team; your login name if not given.")


class ProjectScaffolder(Scaffolder[ProjectParams]):
    """Writes `defs.yaml` and a project's documents: all of them from a data file, else only the pipeline document."""

    @classmethod
    def get_scaffold_params(cls) -> type[ProjectParams]:
        """The options."""
        return ProjectParams

    def scaffold(self, request: ScaffoldRequest[ProjectParams]) -> None:
        """Write the files. Raises click's UsageError if no project can be made from the source."""
        folder, params = Path(request.target_path), request.params
        try:
            if params.source:
                write_project(folder, Path(params.source), target=params.target, owner=params.owner)
            else:
                (folder / "pipeline.yaml").write_text(FIRST_DOCUMENT.format(name=folder.name))
        except (ScaffoldError, ConfigError) as error:
            raise click.UsageError(str(error)) from error
        (folder / "defs.yaml").write_text(yaml.safe_dump({"type": request.type_name, "attributes": {"folder": "."}}))


@dg.scaffold_with(ProjectScaffolder)
class MlopsProject(dg.Component, dg.Model, dg.Resolvable):
    """The assets of a folder of documents: data, features, training, deployment and monitoring of a model."""

    folder: str = Field(
        default=".", description="Folder of the project's documents, or of several projects, from this file's folder."
    )
    platform: Literal["embedded", "spark", "databricks"] | None = Field(
        default=None, description="Where the project runs; MLOPS_PLATFORM's where it is not given."
    )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The projects' definitions, with the platform's resources. Raises ConfigError with file, line and column."""
        projects = load_projects(Path(context.path) / self.folder)
        return dg.Definitions.merge(project_definitions(projects), dg.Definitions(resources=_resources(self.platform)))


@cache
def _resources(platform: str | None) -> Mapping[str, object]:
    """The same resources for all components: a code location cannot have two resources of one name."""
    return resources_for(platform)
