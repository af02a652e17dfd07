"""Renders templates and hands out the files they name, each under an address that changes with it.

Everything a template shows is escaped: ids and texts are a stranger's.
"""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from filmcan.errors import NotFoundError
from filmcan.server.web.words import FILTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PLOTLY = "plotly.min.js"
_SCRIPTS = ("theme.js", "page.js", "charts.js", "overlay.js", "run.js", "compare.js")
_FILES = (*_SCRIPTS, "filmcan.css", "plots.css", "icon.svg")
_FOREVER = "public, max-age=31536000, immutable"


class Pages:
    """Templates and static files of the server."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._files: dict[str, tuple[bytes, str]] = {}

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=PackageLoader("filmcan.server.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(FILTERS)
        environment.globals["asset"] = self.find_address
        environment.globals["plotly_styles"] = self._find_plotly_styles
        return environment

    def render(
        self, request: Request, template: str, http_status: int = 200, **values: object
    ) -> Response:
        """Return a page."""
        page = self._environment.get_template(template)
        text = page.render(path=request.url.path, **values)
        headers = {"Cache-Control": "private, no-cache"}
        return HTMLResponse(text.encode("utf-8", "replace"), http_status, headers)

    def render_error(self, request: Request, status: int, error: Mapping[str, str]) -> Response:
        """Return a page that tells an error in its three parts."""
        return self.render(request, "error.html", status, status=status, error=error)

    def find_address(self, name: str) -> str:
        """Return the address of a static file; it changes with the file."""
        return f"/static/{self._load(name)[1]}/{name}"

    def answer_file(self, tag: str, name: str) -> Response:
        """Return a static file.

        Raises:
            NotFoundError: There is no such file, or another version of it.
        """
        if name not in (*_FILES, _PLOTLY):
            raise NotFoundError("there is no such file", where=name[:80])
        data, known = self._load(name)
        if tag != known:
            raise NotFoundError("there is no such version of this file", where=name)
        media_type = _TYPES[name[name.rindex(".") :]]
        return Response(data, headers={"Cache-Control": _FOREVER}, media_type=media_type)

    def _find_plotly_styles(self) -> list[str]:
        """Return the ids under which plotly.js writes style sheets into a page, unless taken."""
        found = re.findall(rb'getElementById\("([0-9a-f]{64})"\)', self._load(_PLOTLY)[0])
        return sorted({item.decode() for item in found})

    def _load(self, name: str) -> tuple[bytes, str]:
        if name not in self._files:
            if name == _PLOTLY:
                folder = resources.files("plotly").joinpath("package_data")
            else:
                folder = resources.files("filmcan.server.web").joinpath("static")
            data = folder.joinpath(name).read_bytes()
            self._files[name] = (data, hashlib.sha256(data).hexdigest()[:12])
        return self._files[name]
