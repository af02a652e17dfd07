"""The profile of a run: defaults, a file, single settings, resolved into one checked document.

`filmcan/profiles/all.yaml` names every setting; what it does not name does not exist. A value has
the type of its default; ranges are checked by whoever uses it.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import cast

import yaml

from filmcan.contract.issues import shown
from filmcan.contract.signature import EXECUTION_SECTION, hash_config
from filmcan.errors import BadProfileError

MAX_PROFILE_BYTES = 1024 * 1024
DEFAULT_PROFILE = "all"

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Profile:
    """A resolved profile: every setting has a value.

    Attributes:
        document: The whole document, as kept in the manifest.
        config_hash: Digest of all but `execution` (C11.1).
    """

    document: Document
    config_hash: str

    def section(self, *path: str) -> Document:
        """Return a section, for example `section("components", "core_clip")`."""
        found: object = self.document
        for step in path:
            found = cast("Document", found)[step]
        return cast("Document", found)

    @property
    def execution(self) -> Document:
        """How the run is executed; never hashed."""
        return self.section(EXECUTION_SECTION)


def resolve_profile(
    file: Path | None = None, settings: Iterable[str] | Mapping[str, object] | None = None
) -> Profile:
    """Return the defaults overlaid with a file, then with single settings.

    Args:
        file: A YAML file that names only what differs; a bare word such as `all` names a
            packaged profile.
        settings: `dotted.key=value` texts (values in YAML), or dotted key -> value.

    Raises:
        BadProfileError: The file or a setting is wrong; the message names the key and, for an
            unknown one, the nearest known.
    """
    document = load_packaged_profile(DEFAULT_PROFILE)
    if file is not None:
        document = _overlay(document, _read_file(file), "")
    for key, value in _parse_settings(settings or ()):
        document = _overlay(document, _nest(key, value), "")
    return Profile(document, hash_config(document))


def with_component_parameters(profile: Profile, changes: Mapping[str, Document]) -> Profile:
    """Return the profile with other settings in some components' sections, hashed anew.

    Args:
        profile: A resolved profile.
        changes: Component name -> parameters, each of which its section has.
    """
    if not changes:
        return profile
    sections = profile.section("components")
    changed = {name: {**profile.section("components", name), **changes[name]} for name in changes}
    document = {**profile.document, "components": {**sections, **changed}}
    return Profile(document, hash_config(document))


@cache
def load_packaged_profile(name: str) -> Document:
    """Return a profile that comes with filmcan.

    Raises:
        BadProfileError: There is none of that name.
    """
    folder = resources.files("filmcan").joinpath("profiles")
    known = sorted(item.name.removesuffix(".yaml") for item in folder.iterdir())
    if name not in known:
        raise BadProfileError(
            f"there is no profile {name!r}",
            where="--profile",
            hint=f"Give a YAML file, or one of: {', '.join(known)}.",
        )
    return _parse_yaml(folder.joinpath(f"{name}.yaml").read_bytes(), name)


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a key stands once and text that looks like a date stays text."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Hashable, object]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} is no text", problem_mark=key_node.start_mark
                )
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read_file(file: Path) -> Document:
    if file.suffix == "" and not file.exists() and len(file.parts) == 1:
        return load_packaged_profile(file.name)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadProfileError(
            f"the profile cannot be read: {error.strerror}", where=file.name
        ) from error
    if len(data) > MAX_PROFILE_BYTES:
        raise BadProfileError(
            f"the profile has more than {MAX_PROFILE_BYTES} bytes", where=file.name
        )
    return _parse_yaml(data, file.name)


def _parse_yaml(data: bytes | str, where: str) -> Document:
    value = _load(data, where)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadProfileError(f"expected settings by name, got {shown(value)}", where=where)
    return value


def _load(data: bytes | str, where: str) -> object:
    try:
        return yaml.load(data, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = " ".join(str(error).split())
        raise BadProfileError(f"not valid YAML: {message}", where=where) from error


def _parse_settings(
    settings: Iterable[str] | Mapping[str, object],
) -> Iterable[tuple[str, object]]:
    if isinstance(settings, Mapping):
        yield from settings.items()
        return
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise BadProfileError(
                f"expected dotted.key=value, got {text!r}",
                where="--set",
                hint="For example --set sampling.rate_hz=4",
            )
        yield key.strip(), _load(value, f"--set {key}")


def _nest(key: str, value: object) -> Document:
    nested: object = value
    for step in reversed(key.split(".")):
        nested = {step: nested}
    return cast("Document", nested)


def _overlay(base: Document, changes: Document, where: str) -> Document:
    merged = dict(base)
    for name, value in changes.items():
        place = f"{where}.{name}" if where else name
        if name not in base:
            near = difflib.get_close_matches(name, list(base), n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(base)}."
            raise BadProfileError("there is no such setting", where=place, hint=hint)
        default = base[name]
        if isinstance(default, Mapping):
            if not isinstance(value, Mapping):
                raise BadProfileError(f"expected settings by name, got {shown(value)}", where=place)
            merged[name] = _overlay(default, value, place)
        else:
            merged[name] = _check_type(default, value, place)
    return merged


def _check_type(default: object, value: object, place: str) -> object:
    """Return the value in the type of its default; a whole number may stand for a float."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(default, float) and (is_whole or isinstance(value, float)):
        number = float(cast("float", value))
        if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
            raise BadProfileError(f"expected a finite number, got {value!r}", where=place)
        return number
    if isinstance(default, list) and default and isinstance(value, list):
        return [
            _check_type(default[0], item, f"{place}[{number}]") for number, item in enumerate(value)
        ]
    if default is None or type(value) is type(default):
        return value
    expected = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "settings by name",
    }
    raise BadProfileError(
        f"expected {expected.get(type(default), type(default).__name__)}, got {shown(value)}",
        where=place,
    )
