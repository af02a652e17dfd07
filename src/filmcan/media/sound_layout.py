"""Names of channel layouts: FFmpeg's, with a guess where a stream only counts its channels."""

from __future__ import annotations

import re

import av

_COUNT_ONLY = re.compile(r"\d+ channels?")


def name_layout(layout: av.AudioLayout) -> str:
    """Return a layout's name such as `stereo` or `5.1(side)`.

    A stream that only counts its channels (many WAV files) is taken for FFmpeg's default layout
    of that count: mono, stereo, 2.1, 4.0, 5.0, 5.1, 6.1, 7.1. Other counts keep the count as
    name, for example `9 channels`.
    """
    if not is_count_only(layout):
        return layout.name
    try:
        return av.AudioLayout(f"{layout.nb_channels}c").name
    except ValueError:
        return layout.name


def is_count_only(layout: av.AudioLayout) -> bool:
    """Return True when a layout says how many channels there are and not which."""
    return _COUNT_ONLY.fullmatch(layout.name) is not None
