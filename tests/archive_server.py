"""What the loopback archive answers: the addresses of the DANDI API that are read, and of its storage."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from archive_uploads import UploadHandler

BLOCK = 2**18

DANDISET = r"/api/dandisets/([0-9]{6})/"
VERSION = rf"{DANDISET}versions/([^/]+)/"
ROUTES = (
    (r"/server-info|/api/info/", "_info"),
    (r"/api/auth/token/?", "_token"),
    (DANDISET, "_dandiset"),
    (rf"{DANDISET}versions/", "_versions"),
    (rf"{VERSION}(info/)?", "_version"),
    (rf"{VERSION}assets/", "_assets"),
    (rf"{VERSION}assets/([^/]+)/(info/|download/)?", "_asset_of"),
    (r"/api/assets/([^/]+)/(info/|download/)?", "_asset"),
)


class Handler(UploadHandler, BaseHTTPRequestHandler):
    """Answers one request after the other of a connection."""

    archive: Any
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Handle requests until the client goes away, which it may do at any time."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *values: Any) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        """Answer, after the latency, with a fault or with what is asked for."""
        archive, target = self.archive, urlsplit(self.path)
        kind = _kind(target.path)
        time.sleep(archive.faults.latency)
        with archive.lock:
            archive.requests[kind] += 1
            known = "with a token" if self.headers.get("Authorization") else "without a token"
            archive.log.append(f"{self.command} {self.path} {known}")
            answers = archive.faults.answers.get(kind, [])
            status = answers.pop(0) if answers else 0
        if status:
            self._json({"detail": "a fault that was asked for"}, status)
        elif kind == "storage":
            self._storage(target)
        else:
            query = dict(parse_qsl(target.query))
            for pattern, answer in ROUTES:
                match = re.fullmatch(pattern, target.path)
                if match:
                    getattr(self, answer)(query, *match.groups())
                    return
            self._json({"detail": "Not found."}, 404)

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def _info(self, query: dict[str, str]) -> None:
        url = self.archive.url
        self._json(
            {
                "version": "0.4.0",
                "schema_version": "0.7.0",
                "services": {"api": {"url": f"{url}/api"}, "webui": {"url": url}},
                "cli-minimal-version": "0.60.0",
                "cli-bad-versions": [],
            }
        )

    def _token(self, query: dict[str, str]) -> None:
        good = self.headers.get("Authorization") == f"token {self.archive.token}"
        self._json({"token": "kept"} if good else {"detail": "Invalid token."}, 200 if good else 401)

    def _dandiset(self, query: dict[str, str], identifier: str) -> None:
        found = self._found(identifier)
        if found is not None:
            self._json(found.entry())

    def _versions(self, query: dict[str, str], identifier: str) -> None:
        found = self._found(identifier)
        if found is not None:
            self._page([found.version(name) for name in found.versions], query)

    def _version(self, query: dict[str, str], identifier: str, name: str, info: str | None) -> None:
        found = self._found(identifier, name)
        if found is not None:
            errors = {"asset_validation_errors": [], "version_validation_errors": []}
            raw = {"identifier": f"DANDI:{identifier}", "name": "Simulated movies", "version": name}
            self._json({**found.version(name), **errors} if info else raw)

    def _assets(self, query: dict[str, str], identifier: str, name: str) -> None:
        found = self._found(identifier, name)
        if found is None:
            return
        prefix, pattern = query.get("path", ""), query.get("glob", "*")
        chosen = [
            asset
            for asset in sorted(found.versions[name], key=lambda each: each.path)
            if asset.path.startswith(prefix) and fnmatchcase(asset.path, pattern)
        ]
        with_metadata = query.get("metadata", "").lower() == "true"
        url = self.archive.url
        self._page(
            [a.entry() | ({"metadata": a.metadata(url)} if with_metadata else {}) for a in chosen], query
        )

    def _asset(self, query: dict[str, str], asset_id: str, what: str | None) -> None:
        for dandiset, asset in self.archive.assets():
            if asset.identifier == asset_id:
                if not self._allowed(dandiset):
                    return
                if what == "download/":
                    self._redirect(self.archive.sign(asset.blob))
                else:
                    metadata = asset.metadata(self.archive.url)
                    self._json(asset.entry() | {"metadata": metadata} if what == "info/" else metadata)
                return
        self._json({"detail": "Not found."}, 404)

    def _asset_of(self, query: dict[str, str], identifier: str, name: str, *rest: str) -> None:
        if self._found(identifier, name) is not None:
            self._asset(query, *rest)

    def _found(self, identifier: str, version: str = "draft") -> Any:
        """Return a dandiset that is there and may be seen; answer and return None where not."""
        found = self.archive.dandisets.get(identifier)
        if found is None or version not in found.versions:
            self._json({"detail": "Not found."}, 404)
            return None
        return found if self._allowed(found) else None

    def _allowed(self, dandiset: Any) -> bool:
        if dandiset.embargoed and self.headers.get("Authorization") != f"token {self.archive.token}":
            self._json({"detail": "Authentication credentials were not provided."}, 401)
            return False
        return True

    def _page(self, items: list[Any], query: dict[str, str]) -> None:
        size, page = int(query.get("page_size", self.archive.page_size)), int(query.get("page", 1))
        more = len(items) > size * page
        following = f"{urlsplit(self.path).path}?{urlencode({**query, 'page': page + 1})}"
        answer = {
            "count": len(items),
            "next": f"{self.archive.url}{following}" if more else None,
            "previous": None,
            "results": items[size * (page - 1) : size * page],
        }
        self._json(answer)

    def _redirect(self, url: str) -> None:
        self.send_response(302)
        self.send_header("Location", url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, content: Any, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _plain(self, body: bytes, **headers: str) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _storage(self, target: Any) -> None:
        """Send a file, or a range of it, to whoever has a signature that holds; to nobody with a token."""
        blob = target.path.rpartition("/")[2]
        asset = next((asset for _, asset in self.archive.assets() if asset.blob == blob), None)
        signature = parse_qs(target.query).get("X-Amz-Signature", [""])[0]
        if asset is None or not self.archive.holds(signature) or self.headers.get("Authorization"):
            self._json({"Code": "AccessDenied", "Message": "Request has expired"}, 403)
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = 0, asset.size - 1
        if asked and self.archive.faults.ranges:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
        with self.archive.lock:
            faults = self.archive.faults
            stalled, faults.stalls = faults.stalls > 0, max(0, faults.stalls - 1)
            dropped, faults.drops = faults.drops > 0, max(0, faults.drops - 1)
            self.archive.ranges.append((first, last))
        if stalled:
            time.sleep(faults.stall_seconds)
        self.send_response(206 if asked and faults.ranges else 200)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Content-Range", f"bytes {first}-{last}/{asset.size}")
        self.end_headers()
        self._send(asset.file, first, min(last + 1, first + faults.drop_after) if dropped else last + 1)
        if dropped:
            self.close_connection = True

    def _send(self, file: Path, start: int, stop: int) -> None:
        """Send bytes `start` to `stop`, as long as somebody takes them."""
        with file.open("rb") as handle:
            handle.seek(start)
            while start < stop:
                block = handle.read(min(BLOCK, stop - start))
                try:
                    self.wfile.write(block)
                except OSError:
                    self.close_connection = True
                    return
                start += len(block)
                with self.archive.lock:
                    self.archive.sent += len(block)


def _kind(path: str) -> str:
    if path.startswith("/storage/"):
        return "storage"
    if path.endswith("/download/"):
        return "download"
    return "info" if path in ("/server-info", "/api/info/") else "api"
