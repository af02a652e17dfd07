"""Logs on stderr: lines for people, or one JSON object a line for a collector."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from filmcan.cli.screen import show_line, show_plainly

_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object; an event keeps its fields apart."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        shape: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
        }
        event = record.args[0] if isinstance(record.args, tuple) and record.args else None
        name, fields = getattr(event, "name", None), getattr(event, "fields", None)
        if isinstance(fields, dict):
            shape.update({"event": name, **fields})
        else:
            shape["message"] = record.getMessage()
        return json.dumps(shape, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Writes each record for people; what a name holds does not steer their terminal."""

    def __init__(self) -> None:
        """Begin each line with the time."""
        super().__init__(_TEXT)

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and those of a traceback."""
        return show_plainly(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the line without a traceback."""
        return show_line(super().formatMessage(record))


def configure_logging(*, is_verbose: bool, as_json: bool) -> None:
    """Send logs to stderr: warnings always, what happens only when asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=logging.INFO if is_verbose else logging.WARNING, handlers=[handler])
