"""Who may deploy to an environment: whoever started the run must be one of the document's promoters."""

from collections.abc import Mapping

import dagster as dg

from mlops_assets.config import DeploymentConfig

USER = "user"  # Dagster+ sets it on a run that a person starts
AUTOMATIC = {"schedule": "dagster/schedule_name", "sensor": "dagster/sensor_name"}


def require_promoter(config: DeploymentConfig, tags: Mapping[str, str]) -> None:
    """Check that one of the document's promoters started the run; a document without promoters allows everyone.

    Raises:
        dagster.Failure: somebody else did; the message lists the promoters.
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
    """Who started a run, from its tags: a person, `schedule:<name>` or `sensor:<name>`."""
    person = [tags[USER]] if USER in tags else []
    return person + [f"{kind}:{tags[tag]}" for kind, tag in AUTOMATIC.items() if tag in tags]
