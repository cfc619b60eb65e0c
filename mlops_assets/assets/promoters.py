"""Who may deploy to an environment: the deployment document's promoters against what started the run."""

from collections.abc import Mapping

import dagster as dg

from mlops_assets.config import DeploymentConfig

USER = "user"  # Dagster+ sets it on a run that a person starts
AUTOMATIC = {"schedule": "dagster/schedule_name", "sensor": "dagster/sensor_name"}


def require_promoter(config: DeploymentConfig, tags: Mapping[str, str]) -> None:
    """Pass where the run was started by one of the document's promoters, or where it names none.

    Raises:
        dagster.Failure: it was not, with who may.
    """
    if not config.promoters:
        return
    who = started_by(tags)
    if not set(who) & set(config.promoters):
        actor = " or ".join(who) or f"nobody that a tag '{USER}' names"
        raise dg.Failure(
            f"{config.environment}: promoters are {', '.join(config.promoters)}, and this run was started by {actor}; "
            "nothing was deployed",
            allow_retries=False,
        )


def started_by(tags: Mapping[str, str]) -> list[str]:
    """The person, `schedule:<name>` or `sensor:<name>` that a run's tags name."""
    person = [tags[USER]] if USER in tags else []
    return person + [f"{kind}:{tags[tag]}" for kind, tag in AUTOMATIC.items() if tag in tags]
