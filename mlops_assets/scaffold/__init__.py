"""A working project from a table or a file: what its columns are, what they are for, and the documents that say so."""

from mlops_assets.scaffold.errors import ScaffoldError
from mlops_assets.scaffold.project import Written, write_project

__all__ = ["ScaffoldError", "Written", "write_project"]
