"""Writing an example's source files: each once, whole or not at all, never over a file that is there."""

from glob import has_magic
from pathlib import Path

from mlops_assets.samples import nycflights13

SAMPLES = tuple(f"nycflights13.{table}" for table in nycflights13.TABLES)


def land(dataset: str, location: str, through: str | None = None) -> list[Path]:
    """Write the files of `dataset` (one of SAMPLES) that are not at `location` yet, and return those written.

    Raises:
        ValueError: there is no such dataset.
    """
    if dataset not in SAMPLES:
        raise ValueError(f"no example data '{dataset}'; there are {', '.join(SAMPLES)}")
    table = dataset.removeprefix("nycflights13.")
    folder = _folder(location)
    missing = [name for name in nycflights13.file_names(table, through) if not (folder / name).exists()]
    if not missing:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    frames = nycflights13.source_files(table, through)
    for name in missing:
        unfinished = folder / f".{name}.part"
        frames[name].write_csv(unfinished)
        unfinished.rename(folder / name)
    return [folder / name for name in missing]


def _folder(location: str) -> Path:
    path = Path(location)
    return path.parent if has_magic(path.name) or path.suffix else path
