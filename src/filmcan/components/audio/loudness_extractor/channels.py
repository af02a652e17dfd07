"""What each channel weighs in a loudness measurement, by the name of the channel layout.

Source: ITU-R BS.1770-5, Annex 1, table 3 and Annex 3, table 4: channels at an azimuth of 60 to 120
degrees near ear height weigh 1.41, LFE nothing, all others 1. FFmpeg's channel names are placed
as in ITU-R BS.2051: BL and BR stand at 110 degrees where they are the only surrounds (5.1), at
135 degrees beside SL and SR (7.1).
"""

from __future__ import annotations

from collections.abc import Mapping

SURROUND_WEIGHT = 1.41
"""+1.5 dB, as BS.1770 rounds it."""

_LAYOUTS: Mapping[str, str] = {
    "mono": "FC",
    "stereo": "FL+FR",
    "2.1": "FL+FR+LFE",
    "3.0": "FL+FR+FC",
    "3.0(back)": "FL+FR+BC",
    "4.0": "FL+FR+FC+BC",
    "quad": "FL+FR+BL+BR",
    "quad(side)": "FL+FR+SL+SR",
    "3.1": "FL+FR+FC+LFE",
    "5.0": "FL+FR+FC+BL+BR",
    "5.0(side)": "FL+FR+FC+SL+SR",
    "4.1": "FL+FR+FC+LFE+BC",
    "5.1": "FL+FR+FC+LFE+BL+BR",
    "5.1(side)": "FL+FR+FC+LFE+SL+SR",
    "6.0": "FL+FR+FC+BC+SL+SR",
    "6.0(front)": "FL+FR+FLC+FRC+SL+SR",
    "3.1.2": "FL+FR+FC+LFE+TFL+TFR",
    "hexagonal": "FL+FR+FC+BL+BR+BC",
    "6.1": "FL+FR+FC+LFE+BC+SL+SR",
    "6.1(back)": "FL+FR+FC+LFE+BL+BR+BC",
    "6.1(front)": "FL+FR+LFE+FLC+FRC+SL+SR",
    "7.0": "FL+FR+FC+BL+BR+SL+SR",
    "7.0(front)": "FL+FR+FC+FLC+FRC+SL+SR",
    "7.1": "FL+FR+FC+LFE+BL+BR+SL+SR",
    "7.1(wide)": "FL+FR+FC+LFE+BL+BR+FLC+FRC",
    "7.1(wide-side)": "FL+FR+FC+LFE+FLC+FRC+SL+SR",
    "5.1.2": "FL+FR+FC+LFE+SL+SR+TFL+TFR",
    "5.1.2(back)": "FL+FR+FC+LFE+BL+BR+TFL+TFR",
    "octagonal": "FL+FR+FC+BL+BR+BC+SL+SR",
    "cube": "FL+FR+BL+BR+TFL+TFR+TBL+TBR",
    "5.1.4": "FL+FR+FC+LFE+SL+SR+TFL+TFR+TBL+TBR",
    "7.1.2": "FL+FR+FC+LFE+BL+BR+SL+SR+TFL+TFR",
    "7.1.4": "FL+FR+FC+LFE+BL+BR+SL+SR+TFL+TFR+TBL+TBR",
    "7.2.3": "FL+FR+FC+LFE+BL+BR+SL+SR+TFL+TFR+TBC+LFE2",
    "9.1.4": "FL+FR+FC+LFE+BL+BR+FLC+FRC+SL+SR+TFL+TFR+TBL+TBR",
    "9.1.6": "FL+FR+FC+LFE+BL+BR+FLC+FRC+SL+SR+TFL+TFR+TBL+TBR+TSL+TSR",
    "hexadecagonal": "FL+FR+FC+BL+BR+BC+SL+SR+TFL+TFC+TFR+TBL+TBC+TBR+WL+WR",
    "binaural": "BIL+BIR",
    "downmix": "DL+DR",
    "22.2": "FL+FR+FC+LFE+BL+BR+FLC+FRC+BC+SL+SR+TC+TFL+TFC+TFR+TBL+TBC+TBR+LFE2+TSL+TSR"
    "+BFC+BFL+BFR",
}
"""FFmpeg's named layouts and the order of their channels."""

_BY_COUNT: Mapping[int, str] = {
    1: "mono",
    2: "stereo",
    3: "2.1",
    4: "4.0",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}
"""FFmpeg's guess at a layout that nobody named."""

_LFE = frozenset({"LFE", "LFE2"})
_SIDE = frozenset({"SL", "SR", "SSL", "SSR", "SDL", "SDR", "WL", "WR"})
_BACK = frozenset({"BL", "BR"})


def find_layout_channels(layout: str, channel_count: int) -> tuple[str, ...] | None:
    """Return the names of a layout's channels, None when the layout does not say.

    Args:
        layout: As FFmpeg names it: `5.1(side)`, `FL+FR+LFE`, `3 channels (FL+FR+LFE)`.
        channel_count: Channels that the sound really has.
    """
    listed = layout
    if "(" in layout and layout not in _LAYOUTS:
        listed = layout.partition("(")[2].rstrip(")")
    names = tuple(_LAYOUTS.get(layout, listed).split("+"))
    is_named = layout in _LAYOUTS or all(name.isalnum() and name.isupper() for name in names)
    return names if is_named and len(names) == channel_count else None


def weigh_channels(layout: str, channel_count: int) -> tuple[float, ...]:
    """Return the weight of each channel's power.

    A layout without names is taken for the usual one of its number of channels up to eight;
    beyond, all channels weigh 1.
    """
    names = find_layout_channels(layout, channel_count)
    if names is None:
        usual = _BY_COUNT.get(channel_count)
        names = tuple(_LAYOUTS[usual].split("+")) if usual else ("",) * channel_count
    has_sides = not _SIDE.isdisjoint(names)
    return tuple(_weigh(name, has_sides=has_sides) for name in names)


def _weigh(name: str, *, has_sides: bool) -> float:
    if name in _LFE:
        return 0.0
    if name in _SIDE or (name in _BACK and not has_sides):
        return SURROUND_WEIGHT
    return 1.0
