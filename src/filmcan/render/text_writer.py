"""What a language model is asked, whichever it is, and how it is asked (C10.2).

Only the render context leaves this machine, never an array, a picture or the text of a video.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from filmcan.contract.canonical import canonical_json, parse_json
from filmcan.errors import InvalidContentError, StoreUnavailableError

if TYPE_CHECKING:
    from filmcan.render.context import RenderContext
    from filmcan.render.narrative import Locale

PROMPT_VERSION = "narrative_v1"
_LANGUAGES: dict[Locale, str] = {"en": "English", "ru": "Russian"}
_RULES = (
    "You turn the measurements of a video into a short text of at most eight sentences. "
    "Use only the JSON given to you. Copy every number exactly as it stands there, with its sign "
    "and unit; compute, round, compare and guess nothing. For every entry of `missing` without a "
    "name write one sentence that names the component and says that its data are unavailable. "
    "Say nothing else about what is missing. Write plain sentences in {language}."
)
_TIMEOUT_SEC = 60.0
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that speaks OpenAI's chat completions.

    Attributes:
        url: Base address, such as `http://127.0.0.1:8080/v1`.
        model: Name of the model.
        key: Sent as a bearer token; empty for none.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)


Post = Callable[[str, bytes, dict[str, str]], bytes]
"""Sends a body to an address with headers and returns the answer's body."""


def build_messages(context: RenderContext, locale: Locale) -> list[dict[str, str]]:
    """Return what the model is told."""
    return [
        {"role": "system", "content": _RULES.format(language=_LANGUAGES[locale])},
        {"role": "user", "content": context.to_json()},
    ]


def hash_prompt(messages: list[dict[str, str]]) -> str:
    """Return the digest of all that the model is told."""
    return hashlib.sha256(canonical_json(messages).encode()).hexdigest()


def post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Send a body by HTTP.

    Raises:
        StoreUnavailableError: The endpoint cannot be reached or refuses.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidContentError("a text endpoint has an http or https address", code="bad_url")
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SEC) as answer:  # noqa: S310
            found: bytes = answer.read(_MOST_BYTES)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise StoreUnavailableError(
            f"the text endpoint did not answer: {getattr(error, 'reason', error)}",
            code="text_endpoint",
            hint="Check --endpoint and its key, or leave them out: the template needs neither.",
        ) from error
    return found


def write_text(endpoint: Endpoint, messages: list[dict[str, str]], send: Post = post) -> str:
    """Return the model's text.

    Raises:
        StoreUnavailableError: The endpoint cannot be reached or refuses.
        InvalidContentError: Its answer is none.
    """
    body = json.dumps({"model": endpoint.model, "messages": messages, "temperature": 0, "seed": 0})
    headers = {"Content-Type": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    answer = send(f"{endpoint.url.rstrip('/')}/chat/completions", body.encode(), headers)
    try:
        found = parse_json(answer)
    except ValueError as error:
        raise _refuse_answer() from error
    match found:
        case {"choices": [{"message": {"content": str(text)}}, *_]} if text.strip():
            return text.strip() + "\n"
    raise _refuse_answer()


def _refuse_answer() -> InvalidContentError:
    return InvalidContentError("the text endpoint's answer holds no text", code="text_endpoint")
