"""DANDI archives: which instance is meant, its dandisets and assets, and the token for embargoed ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import ArchiveError
from ..extras import require

DEFAULT_INSTANCE = "dandi"
FEATURE = "Reading from a DANDI archive"

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DandiAsset:
    """A file of a dandiset in an archive.

    Attributes
    ----------
    instance : str
        Name of the archive, such as "dandi", or its host and port.
    dandiset, version : str
        Identifier and version of the dandiset; empty for an asset that was named by its id alone.
    asset_id, path : str
        Its id, and its path in the dandiset.
    size : int
        Bytes.
    digest : str
        As "algorithm:value"; empty where the archive has not computed one yet.
    url : str
        The API's address of its content, which redirects to a signed one; it holds no signature itself.
    variables : tuple of str or None
        Types of NWB that the archive knows to be inside; None where it does not say.
    archive : Archive
        Where it was found.
    """

    instance: str
    dandiset: str
    version: str
    asset_id: str
    path: str
    size: int
    digest: str
    url: str
    variables: tuple[str, ...] | None = None
    archive: Archive = field(repr=False, compare=False, kw_only=True)

    def __str__(self) -> str:
        place = f"{self.instance}:{self.dandiset}/{self.version}/" if self.dandiset else f"{self.instance}:"
        return f"{place}{self.path} (asset {self.asset_id})"

    def provenance(self) -> dict[str, Any]:
        """Where it lies, as JSON types, without any signature or token."""
        names = ("instance", "dandiset", "version", "asset_id", "path", "size", "digest", "url")
        return {name: getattr(self, name) for name in names}


class Archive:
    """An archive as the dandi client sees it; a token is looked for only when the archive asks for one.

    Parameters
    ----------
    instance : str, optional
        Name of an instance that the client knows ("dandi", "dandi-sandbox"), or the address of any; by
        default what the variable DANDI_INSTANCE says, else "dandi".

    Raises
    ------
    ArchiveError
        If the instance is not known or cannot be reached.
    MissingExtraError
        If the dandi client is not installed.
    """

    def __init__(self, instance: str | None = None) -> None:
        os.environ.setdefault("DANDI_NO_ET", "1")  # the client would report to a third party otherwise
        api = require("dandi.dandiapi", extra="dandi", feature=FEATURE)
        name = instance or os.environ.get("DANDI_INSTANCE") or DEFAULT_INSTANCE
        try:
            self.client = api.DandiAPIClient.for_dandi_instance(name)
        except KeyError as error:
            from dandi.consts import known_instances

            what = f"The DANDI client knows no archive '{name}'"
            fix = f"Give its address, such as https://HOST, or one of: {', '.join(known_instances)}"
            raise ArchiveError(what, fix=fix) from error
        except Exception as error:  # the client raises RuntimeError, ValueError and requests' own alike
            what = f"The archive '{name}' does not answer as a DANDI archive: {error}"
            raise ArchiveError(what, fix="Check the address and the network (--instance)") from error
        self.name = str(self.client.dandi_instance.name)
        self._authenticated = False

    @property
    def option(self) -> str:
        """What stands behind ``dandi -i`` for this archive."""
        from dandi.consts import known_instances

        if self.name in known_instances:
            return self.name
        parts = urlsplit(str(self.client.dandi_instance.api))
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def token_variable(self) -> str:
        """Name of the environment variable that holds this archive's token."""
        return str(self.client.api_key_env_var)

    def ask(self, question: Callable[[], Answer], what: str) -> Answer:
        """Return what a call of the client returns; a token is sent once the archive asks for one.

        Parameters
        ----------
        question : callable
            The call.
        what : str
            What is asked for, as the subject of a sentence, for messages.

        Raises
        ------
        ArchiveError
            If the archive refuses, lacks it, or does not answer.
        """
        import requests
        from dandi.exceptions import NotFoundError

        try:
            return question()
        except NotFoundError as error:
            raise self._missing(what) from error
        except requests.HTTPError as error:
            status = getattr(error.response, "status_code", None)
            if status == 404:
                raise self._missing(what) from error
            if status in (401, 403) and not self._authenticated:
                self._authenticate(what, status)
                return self.ask(question, what)
            if status in (401, 403):
                raise self.refusal(what, status) from error
            said = f"{what} could not be had: the archive '{self.name}' answered {status}"
            raise ArchiveError(said, fix="Try again later") from error
        except requests.RequestException as error:
            said = f"{what} could not be had: the archive '{self.name}' cannot be reached"
            raise ArchiveError(said, where=type(error).__name__, fix="Check the network") from error

    def refusal(self, what: str, status: int | None) -> ArchiveError:
        """Return the error for what this archive does not show."""
        said = f"{what} is not for everybody: the archive '{self.name}' answered {status}"
        variable = self.token_variable
        fix = (
            f"The token in {variable} does not give access to it; ask its owners"
            if self._authenticated
            else f"Set the variable {variable} to your token of this archive{_in_a_shell(variable)}"
        )
        return ArchiveError(said, fix=fix)

    def _missing(self, what: str) -> ArchiveError:
        return ArchiveError(f"{what} is not in the archive '{self.name}'", fix="Check it and its version")

    def _authenticate(self, what: str, status: int) -> None:
        """Send the token that the client's own places hold; nobody is asked for one and none is stored."""
        import requests

        token = _token(self.token_variable, self.name)
        if not token:
            raise self.refusal(what, status)
        try:
            self.client.authenticate(token)
        except requests.HTTPError as error:
            said = f"The archive '{self.name}' does not take your token"
            fix = f"Set the variable {self.token_variable} to one that is valid"
            raise ArchiveError(said, fix=fix) from error
        self._authenticated = True

    def dandiset(self, identifier: str, version: str | None = None) -> Any:
        """Return the client's RemoteDandiset; without `version` the latest published one, else the draft.

        Raises
        ------
        ArchiveError
            If it is not there, or not for everybody.
        """
        name = f"Dandiset {identifier}" + (f" in version {version}" if version else "")
        return self.ask(lambda: self.client.get_dandiset(identifier, version, lazy=False), name)

    def metadata(self, identifier: str, version: str) -> dict[str, Any]:
        """Return what a dandiset says of itself: the content of its ``dandiset.yaml``."""
        address = f"/dandisets/{identifier}/versions/{version}/"
        found: dict[str, Any] = self.ask(lambda: self.client.get(address), f"Dandiset {identifier}")
        return found

    @property
    def has_token(self) -> bool:
        """Whether the client's own places hold a token for this archive."""
        return bool(_token(self.token_variable, self.name))

    def assets(self, dandiset: Any, **query: str) -> Iterator[DandiAsset]:
        """Give the assets of a dandiset in the order of their paths, with their metadata, page by page.

        `query` may hold ``path``, with which paths begin, or ``glob``.
        """
        address = f"{dandiset.version_api_path}assets/"
        asked = {"order": "path", "metadata": "true", **query}
        name = f"Dandiset {dandiset.identifier} in version {dandiset.version_id}"
        for entry in self.ask(lambda: list(self.client.paginate(address, params=asked)), name):
            yield self._asset(entry, dandiset.identifier, dandiset.version_id)

    def asset(self, asset_id: str, dandiset: str = "", version: str = "") -> DandiAsset:
        """Return the asset of an id; with its dandiset and version, if it is named in them."""
        place = f"/dandisets/{dandiset}/versions/{version}" if dandiset else ""
        entry = self.ask(lambda: self.client.get(f"{place}/assets/{asset_id}/info/"), f"Asset {asset_id}")
        return self._asset(entry, dandiset, version)

    def _asset(self, entry: dict[str, Any], dandiset: str, version: str) -> DandiAsset:
        """Return an asset from the archive's answer; older servers leave the metadata out of their lists."""
        place = f"/dandisets/{dandiset}/versions/{version}" if dandiset else ""
        address = f"{place}/assets/{entry['asset_id']}/"
        metadata = entry.get("metadata")
        if metadata is None:
            metadata = self.ask(lambda: self.client.get(address), f"Asset {entry['path']}")
        measured = metadata.get("variableMeasured")
        return DandiAsset(
            instance=self.name,
            dandiset=dandiset,
            version=version,
            asset_id=str(entry["asset_id"]),
            path=str(entry["path"]),
            size=int(entry["size"]),
            digest=_digest(metadata.get("digest") or {}),
            url=str(self.client.get_url(f"{address}download/")),
            variables=tuple(str(each.get("value")) for each in measured) if measured else None,
            archive=self,
        )


def _digest(digests: dict[str, str]) -> str:
    """Return the best digest: that of the content before the one of its parts in storage."""
    for name in ("dandi:sha2-256", "dandi:dandi-etag"):
        if digests.get(name):
            return f"{name.removeprefix('dandi:')}:{digests[name]}"
    return ""


def _in_a_shell(variable: str) -> str:
    """Say how a variable is set that shells cannot name: that of an archive known by host and port."""
    return "" if variable.isidentifier() else f", in a shell with: env '{variable}=TOKEN' COMMAND"


def _token(variable: str, instance: str) -> str | None:
    """Return the token from the variable, or from the keyring that the dandi client stored it in."""
    token = os.environ.get(variable)
    if token:
        return token
    from keyring import get_password
    from keyring.errors import KeyringError

    try:
        return get_password(f"dandi-api-{instance}", "key")
    except KeyringError as error:
        _log.debug("The keyring cannot be read: %s", error)
        return None
