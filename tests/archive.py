"""A DANDI archive on this machine's loopback: the API for reading, uploads if asked for, faults on demand."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dandi.dandiapi
from archive_server import Handler
from archive_uploads import Upload
from dandi.support.digests import get_digest

if TYPE_CHECKING:
    import pytest

WHEN = "2026-01-02T03:04:05Z"
DIGESTS = {"sha2-256": "sha256", "dandi-etag": "dandi-etag"}
TOKEN = "0123456789abcdef-secret"


@dataclass
class Asset:
    """A file of a dandiset, as the archive keeps it."""

    path: str
    file: Path
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))
    blob: str = field(default_factory=lambda: str(uuid.uuid4()))
    measured: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        return self.file.stat().st_size

    @cached_property
    def digests(self) -> dict[str, str]:
        return {f"dandi:{name}": get_digest(self.file, own) for name, own in DIGESTS.items()}

    def entry(self) -> dict[str, Any]:
        """What lists and `info` say."""
        return {
            "asset_id": self.identifier,
            "blob": self.blob,
            "zarr": None,
            "path": self.path,
            "size": self.size,
            "created": WHEN,
            "modified": WHEN,
        }

    def metadata(self, url: str) -> dict[str, Any]:
        """What the asset's own address says."""
        known = (
            {}
            if self.measured is None
            else {"variableMeasured": [{"value": value} for value in self.measured]}
        )
        return {
            "schemaKey": "Asset",
            "identifier": self.identifier,
            "path": self.path,
            "contentSize": self.size,
            "encodingFormat": "application/x-nwb",
            "contentUrl": [f"{url}/api/assets/{self.identifier}/download/", f"{url}/storage/{self.blob}"],
            "digest": dict(self.digests),
            **known,
        }


@dataclass
class Dandiset:
    """A dandiset: its versions' assets by version."""

    identifier: str
    embargoed: bool = False
    versions: dict[str, list[Asset]] = field(default_factory=lambda: {"draft": []})

    def version(self, name: str) -> dict[str, Any]:
        assets = self.versions[name]
        return {
            "version": name,
            "name": "Simulated movies",
            "asset_count": len(assets),
            "size": sum(asset.size for asset in assets),
            "created": WHEN,
            "modified": WHEN,
            "status": "Published" if name != "draft" else "Valid",
        }

    def entry(self) -> dict[str, Any]:
        published = sorted(set(self.versions) - {"draft"})
        return {
            "identifier": self.identifier,
            "created": WHEN,
            "modified": WHEN,
            "contact_person": "Mock, Mary",
            "embargo_status": "EMBARGOED" if self.embargoed else "OPEN",
            "most_recent_published_version": self.version(published[-1]) if published else None,
            "draft_version": self.version("draft"),
        }


@dataclass
class Faults:
    """What goes wrong: each answer or drop holds for so many requests of a kind, then things go well again.

    Kinds are "info", "api", "download" (the address that redirects) and "storage".
    """

    latency: float = 0.0
    answers: dict[str, list[int]] = field(default_factory=dict)
    """Statuses that the next requests of a kind get; 0 is a good answer."""
    drops: int = 0
    """So many bodies from storage end after `drop_after` bytes, with the connection."""
    drop_after: int = 100_000
    stalls: int = 0
    """So many requests to storage are answered only after `stall_seconds`."""
    stall_seconds: float = 1.0
    expire_requests: int | None = None
    """Signed addresses work for so many requests; None: for any number."""
    ranges: bool = True
    """Whether storage keeps to ranges; if not, it sends the whole file."""


class LoopbackArchive:
    """The archive: dandisets in memory, files on disk, a server in threads, and what it served.

    Attributes
    ----------
    requests : Counter
        Requests by kind: "info", "api", "download", "storage".
    sent : int
        Bytes of bodies that storage sent.
    ranges : list of (int, int)
        First and last byte of each good answer of storage.
    log : list of str
        Method and target of every request, and whether it carried a token.
    store : Path or None
        A folder for what is uploaded; None: the archive is read only.
    """

    token = TOKEN

    def __init__(self, page_size: int = 100) -> None:
        self.dandisets: dict[str, Dandiset] = {}
        self.faults = Faults()
        self.page_size = page_size
        self.lock = threading.Lock()
        self.signed: dict[str, float] = {}
        self.store: Path | None = None
        self.uploads: dict[str, Upload] = {}
        self.reset()
        bound = type("BoundHandler", (Handler,), {"archive": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def token_variable(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}_API_KEY"

    def __enter__(self) -> LoopbackArchive:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reset(self) -> None:
        """Count from zero."""
        self.requests: Counter[str] = Counter()
        self.sent = 0
        self.ranges: list[tuple[int, int]] = []
        self.log: list[str] = []

    def add(self, path: str, file: Path, dandiset: str = "000001", **about: Any) -> Asset:
        """Put a file into a dandiset, which is made where it is absent; `version` and `embargoed` say how."""
        found = self.dandisets.setdefault(dandiset, Dandiset(dandiset))
        found.embargoed = about.pop("embargoed", found.embargoed)
        asset = Asset(path, file, measured=about.pop("measured", None))
        found.versions.setdefault(about.pop("version", "draft"), []).append(asset)
        assert not about
        return asset

    def assets(self) -> Iterator[tuple[Dandiset, Asset]]:
        for dandiset in self.dandisets.values():
            for assets in dandiset.versions.values():
                for asset in assets:
                    yield dandiset, asset

    def sign(self, blob: str) -> str:
        """Return an address of storage that holds for as long as the faults say."""
        signature = uuid.uuid4().hex
        with self.lock:
            self.signed[signature] = float(self.faults.expire_requests or "inf")
        return f"{self.url}/storage/{blob}?X-Amz-Signature={signature}"

    def holds(self, signature: str) -> bool:
        """Whether a signature is good for one more request."""
        with self.lock:
            self.signed[signature] = self.signed.get(signature, 0) - 1
            return self.signed[signature] >= 0

    def expire(self) -> None:
        """Let all signed addresses of this moment expire."""
        with self.lock:
            self.signed.clear()


@contextmanager
def default_archive(path: str, source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackArchive]:
    """Serve an archive with one asset; it is the default instance, and there is no token."""
    monkeypatch.setattr(dandi.dandiapi, "REQUEST_RETRIES", 2)
    monkeypatch.setenv("DANDI_NO_ET", "1")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with LoopbackArchive() as made:
        monkeypatch.setenv("DANDI_INSTANCE", made.url)
        made.add(path, source)
        yield made
