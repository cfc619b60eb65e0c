"""The gateway's log: one JSON object a line, so that a line is found by its fields."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path


def last_lines(file: Path, most_bytes: int) -> str:
    """The end of a log, whole lines of it."""
    with file.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - most_bytes))
        text = log.read().decode(errors="replace")
    return text if size <= most_bytes else text.partition("\n")[2]


class JsonLines(logging.Formatter):
    """time (UTC), level, logger, message, a record's `mlops_fields` and, where there is one, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "mlops_fields", {}),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def log_to_standard_error() -> None:
    """Everything from LOG_LEVEL (INFO) on, as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=os.environ.get("LOG_LEVEL", "INFO").upper())
