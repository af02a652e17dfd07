"""Tell a run in a few sentences. The verb behind `filmcan render --narrative`.

By a template unless an endpoint is named. Whoever wrote it, a text that says more than its
context is refused. What was told stands in the manifest's `render` with the key it was made by
(C10.2), so the same question is answered from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.times import format_time
from filmcan.errors import InvalidContentError, NotFoundError
from filmcan.operations.targets import find_run, locate, open_existing_store
from filmcan.operations.viewing import find_schema
from filmcan.render.context import RenderContext, build_context
from filmcan.render.narrative import LOCALES, TEMPLATE_VERSION, Locale, render_narrative
from filmcan.render.narrative_check import check_narrative
from filmcan.render.text_writer import (
    PROMPT_VERSION,
    Endpoint,
    Post,
    build_messages,
    hash_prompt,
    post,
    write_text,
)
from filmcan.store.transaction import RunTransaction

if TYPE_CHECKING:
    from filmcan.store.run import Run

__all__ = ["LOCALES", "Endpoint", "Locale", "Narrative", "narrate_run", "narrate_target"]

_KEY = ("llm_provider", "llm_model", "prompt_version", "prompt_hash", "locale")
_TEMPLATE = "template"
_MOST_KEPT = 8


@dataclass(frozen=True, slots=True)
class Narrative:
    """A text about a run.

    Attributes:
        text: The text.
        record: What the manifest's `render` says of it.
        is_kept: True when it was told before and came from the manifest.
    """

    text: str
    record: Mapping[str, object]
    is_kept: bool


def narrate_target(
    target: str, store: str, locale: Locale = "en", endpoint: Endpoint | None = None
) -> Narrative:
    """Tell a run that a path or name means.

    Raises:
        NotFoundError: There is no such run.
        InvalidContentError: What is there is damaged, or the text says more than its context.
        StoreUnavailableError: The store or the endpoint refused.
    """
    located = locate(target, store)
    if located.run is None:
        if located.artifact is not None:
            located.artifact.close()
        raise NotFoundError("a narrative is told of a run", where=target)
    return narrate_run(_find_in_its_store(located.run), locale, endpoint)


def narrate_run(
    run: Run, locale: Locale = "en", endpoint: Endpoint | None = None, send: Post = post
) -> Narrative:
    """Tell a run, and note in its manifest what was told.

    Args:
        run: The run.
        locale: In which language.
        endpoint: Who writes; None: the template.
        send: Reaches the endpoint.

    Raises:
        InvalidContentError: An artifact is damaged, or the text says more than its context.
        StoreUnavailableError: The store or the endpoint refused.
    """
    context = read_context(run)
    messages = build_messages(context, locale)
    key: dict[str, object] = {
        "llm_provider": _TEMPLATE if endpoint is None else "openai_compatible",
        "llm_model": None if endpoint is None else endpoint.model,
        "prompt_version": TEMPLATE_VERSION if endpoint is None else PROMPT_VERSION,
        "prompt_hash": hash_prompt(messages),
        "locale": locale,
    }
    for kept in list_told(run.manifest.render):
        if all(kept.get(name) == value for name, value in key.items()):
            return Narrative(str(kept["text"]), kept, is_kept=True)
    if endpoint is None:
        text = render_narrative(context, locale)
    else:
        text = write_text(endpoint, messages, send)
    faults = check_narrative(text, context)
    if faults:
        told = "; ".join(f"{fault.key}: {fault.message}" for fault in faults[:8])
        raise InvalidContentError(
            f"the text says more than was measured: {told}",
            code="narrative_refused",
            where=run.path,
            hint="Nothing was kept. Ask again, ask another model, or take the template.",
        )
    record = {**key, "created_at": format_time(datetime.now(UTC)), "text": text}
    _keep(run, record)
    return Narrative(text, record, is_kept=False)


def _find_in_its_store(run: Run) -> Run:
    """Return a run opened by its folder as its store sees it; notes go through the store's locks.

    Raises:
        NotFoundError: Its folder lies in no store.
    """
    ids = f"{run.platform_id}/{run.video_id}/{run.run_id}"
    if run.path == ids:
        return run
    folder = Path(run.backend.url).resolve() / run.path
    root = folder.parents[2]
    if folder.relative_to(root).as_posix() != ids:
        raise NotFoundError(
            "the run lies outside of a store, so nothing can be noted in its manifest",
            where=run.path,
            hint="Bring it in with `filmcan import`.",
        )
    return find_run(open_existing_store(str(root)), ids)


def read_context(run: Run) -> RenderContext:
    """Return all that a text about a run may say.

    Raises:
        InvalidContentError: An artifact is damaged.
        StoreUnavailableError: The store refused.
    """
    with ExitStack() as stack:
        artifacts = [
            stack.enter_context(run[name])
            for name, record in run.components.items()
            if record.status == "ok"
        ]
        return build_context(run.manifest, [(item, find_schema(item)) for item in artifacts])


def list_told(render: Mapping[str, object] | None) -> list[Mapping[str, object]]:
    """Return what a manifest's `render` says was told, the latest first."""
    if render is None or not isinstance(render.get("text"), str):
        return []
    earlier = render.get("earlier")
    latest = {name: value for name, value in render.items() if name != "earlier"}
    others = earlier if isinstance(earlier, list) else []
    return [latest, *(item for item in others if isinstance(item, Mapping) and "text" in item)]


def _keep(run: Run, record: Mapping[str, object]) -> None:
    def change(render: Mapping[str, object] | None) -> Mapping[str, object]:
        others = [
            kept
            for kept in list_told(render)
            if any(kept.get(name) != record[name] for name in _KEY)
        ]
        extra = {
            name: value
            for name, value in (render or {}).items()
            if name not in (*_KEY, "created_at", "text", "earlier")
        }
        return {**record, "earlier": [dict(item) for item in others[: _MOST_KEPT - 1]], **extra}

    transaction = RunTransaction.reopen(
        run.backend, run.manifest.run, lambda: format_time(datetime.now(UTC))
    )
    transaction.record_render(change)
