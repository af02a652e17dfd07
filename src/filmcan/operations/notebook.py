"""The notebook's face: runs and artifacts as small tables, series as plotly figures.

Called by name from `Run` and `Artifact` (`npz.notebook`). Everything shown is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, cast

from filmcan.errors import FilmcanError, MissingExtraError, NotFoundError
from filmcan.operations.viewing import (
    Window,
    find_schema,
    render_artifact_view,
    render_component_view,
)
from filmcan.render.features import render_features
from filmcan.render.summary import render_artifact_summary, render_run_summary

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from filmcan.npz.artifact import Artifact
    from filmcan.store.run import Run

_MARKS = {"ok": "●", "empty": "○", "error": "▲"}
_MOST_ROWS = 60
_LANE_PX = 110


def show_run(run: Run) -> str:
    """Return a run as an HTML table: one row per component, reasons included."""
    summary = render_run_summary(run.manifest)
    rows = [
        (
            str(row["name"]),
            f"{_MARKS[str(row['status'])]} {row['status']}",
            str(row["empty_reason"] or row["error"] or ""),
            "" if row["duration_ms"] is None else f"{cast('int', row['duration_ms']) / 1000:.2f}",
            str(row["size_bytes"]),
        )
        for row in cast("list[dict[str, object]]", summary["components"])
    ]
    rows += [(name, "… pending", "", "", "") for name in run.manifest.pending_components]
    title = f"{run.path}: {run.status or 'unfinished'}"
    return _table(title, ("component", "status", "reason", "seconds", "bytes"), rows)


def show_artifact(artifact: Artifact) -> str:
    """Return an artifact as HTML tables: its features, then its arrays."""
    try:
        schema = find_schema(artifact)
        title = f"{artifact.component}: {artifact.status}"
        if artifact.empty_reason:
            title += f", {artifact.empty_reason}"
        features = render_features(artifact, schema)
        summary = render_artifact_summary(artifact, schema)
    except FilmcanError as error:
        return f"<p><b>{escape(artifact.name)}</b> is damaged: {escape(str(error))}</p>"
    measured = _table(
        title,
        ("feature", "value", "unit", "missing because"),
        [
            (
                str(row["name"]),
                "" if row["value"] is None else f"{cast('float', row['value']):.6g}",
                str(row["unit"]),
                str(row["missing_reason"] or ""),
            )
            for row in features
        ],
    )
    arrays = _table(
        "arrays",
        ("key", "type", "unit", "what it says"),
        [
            (
                str(row["key"]),
                f"{row['dtype']}{row['shape']}",
                str(row["unit"]),
                str(row["description"]),
            )
            for row in cast("list[dict[str, object]]", summary["keys"])
        ],
    )
    return measured + arrays


def plot_run(run: Run, component: str, keys: Sequence[str] | None = None) -> Figure:
    """Return a plotly figure of a component's series, drawn as its schema says.

    Raises:
        NotFoundError: The run has no such component, or there is nothing to draw.
        InvalidContentError: Its artifact is damaged.
        MissingExtraError: plotly is not installed.
    """
    view = render_component_view(run, component, "series", Window(keys=keys))
    return _build_figure(view, f"{run.path}/{component}")


def plot_artifact(artifact: Artifact, keys: Sequence[str] | None = None) -> Figure:
    """Return a plotly figure of an artifact's series; see `plot_run`."""
    return _build_figure(render_artifact_view(artifact, "series", Window(keys=keys)), artifact.name)


def _build_figure(view: Mapping[str, object], where: str) -> Figure:
    try:
        from plotly import graph_objects
        from plotly.subplots import make_subplots
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "plots need plotly", where=where, hint="Run: pip install 'filmcan[serve]'"
        ) from error
    drawn = [
        (row, traces)
        for row in cast("list[dict[str, object]]", view["series"])
        if row["key"] != "feature_values" and (traces := list(_build_traces(row, graph_objects)))
    ]
    if not drawn:
        reason = view.get("empty_reason") or view.get("error") or "its schema draws nothing of it"
        raise NotFoundError(f"there is nothing to plot: {reason}", where=where)
    titles = [f"{row['key']}  {row['unit']}".strip() for row, _ in drawn]
    figure = make_subplots(len(drawn), 1, subplot_titles=[escape(title) for title in titles])
    for number, (row, traces) in enumerate(drawn, start=1):
        for trace in traces:
            figure.add_trace(trace, number, 1)
        axis = cast("dict[str, object]", row["axis"])
        if axis["unit"]:
            figure.update_xaxes(ticksuffix=f" {axis['unit']}", row=number, col=1)
    height = 80 + _LANE_PX * len(drawn)
    return figure.update_layout(
        showlegend=False, height=height, margin={"l": 60, "r": 20, "t": 40, "b": 30}
    )


def _build_traces(row: Mapping[str, object], plotly: object) -> Iterable[object]:
    draw = cast("Any", plotly)
    match row:
        case {"view": "line", "curves": [*curves]}:
            for curve in cast("list[dict[str, object]]", curves):
                yield draw.Scatter(
                    x=curve["x"], y=curve["y"], name=escape(str(curve["name"])), mode="lines"
                )
        case {"view": "events", "x": [_, *_] as times}:
            marker = {"symbol": "line-ns-open", "size": 16}
            yield draw.Scatter(x=times, y=[0] * len(times), mode="markers", marker=marker)
        case {"view": "bars", "values": [_, *_] as values, "labels": labels}:
            names = (
                None
                if labels is None
                else [escape(str(item)) for item in cast("list[str]", labels)]
            )
            yield draw.Bar(x=names, y=values)
        case {"view": "similarity", "x": [_, *_] as times, "cells": cells}:
            yield draw.Heatmap(x=times, y=times, z=cells, showscale=False)
        case {"view": "heat_map", "x": [_, *_] as times, "cells": cells, "labels": labels}:
            columns = list(zip(*cast("list[list[float]]", cells), strict=True))
            names = (
                None
                if labels is None
                else [escape(str(item)) for item in cast("list[str]", labels)]
            )
            yield draw.Heatmap(x=times, y=names, z=columns, showscale=False)
        case {"view": "boxes" | "landmarks", "frames": [_, *_] as frames}:
            found = cast("list[dict[str, list[object]]]", frames)
            counts = [len(frame["places"]) for frame in found]
            times = [frame["x"] for frame in found]
            yield draw.Scatter(x=times, y=counts, mode="lines", line={"shape": "hvh"})


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for row in rows[:_MOST_ROWS]
    )
    more = len(rows) - _MOST_ROWS
    note = f"<caption>and {more} more</caption>" if more > 0 else ""
    return (
        f"<p><b>{escape(title)}</b></p>"
        f"<table>{note}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
