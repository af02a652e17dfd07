"""Which addresses a download may use: `https`, and plain `http` for this machine itself only."""

from __future__ import annotations

from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def find_url_fault(url: str) -> str | None:
    """Return why an address is not taken, or None.

    It must be `https`; plain `http` is taken for this machine itself only.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "expected an address such as https://host/file"
    printable = url.isascii() and url.isprintable() and " " not in url
    if not printable or not host or parts.username is not None or parts.fragment:
        return "expected an address such as https://host/file, without a user, password or #"
    if parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK):
        return None
    return "expected an address that begins with https://"


def find_redirect_fault(origin: str, url: str) -> str | None:
    """Return why a redirect is not followed, or None: it may not leave `https`."""
    fault = find_url_fault(url)
    if fault is None and urlsplit(origin).scheme != urlsplit(url).scheme == "http":
        return "expected an address that begins with https://"
    return fault


def find_origin(url: str) -> str:
    """Return scheme, host and port: what a token is for."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def describe_host(url: str) -> str:
    """Return an address without its path and query, which may hold a signature."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed address"
    return f"{parts.scheme}://{parts.hostname or ''}"
