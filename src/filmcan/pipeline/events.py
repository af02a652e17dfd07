"""Log lines that machines can read: an event and its fields, never a word of a video's text.

Which platform, video, run and component stands in each; of an error only its code, because its
message may quote what was read.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:+")


class Event:
    """What happened; as text it is `event key=value ...`."""

    def __init__(self, name: str, fields: Mapping[str, object]) -> None:
        """Take the name of the event and its fields; those that are None are left out."""
        self.name = name
        self.fields = {key: value for key, value in fields.items() if value is not None}

    def __str__(self) -> str:
        """Return one line of `key=value`."""
        told = (f"{key}={_show(value)}" for key, value in self.fields.items())
        return " ".join((self.name, *told))


def log_event(logger: logging.Logger, name: str, **fields: object) -> None:
    """Log an event at level INFO."""
    if logger.isEnabledFor(logging.INFO):
        logger.info("%s", Event(name, fields))


def _show(value: object) -> str:
    text = str(value)
    return text if text and set(text) <= _PLAIN else json.dumps(text, ensure_ascii=False)
