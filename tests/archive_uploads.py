"""The write side of the loopback archive: uploads in parts, and assets made of them."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dandi.support.digests import DandiETag

UPLOAD_ROUTES = (
    ("POST", r"/api/uploads/initialize/", "_initialize"),
    ("PUT", r"/parts/([^/]+)/([0-9]+)", "_part"),
    ("POST", r"/api/uploads/([^/]+)/complete/", "_complete"),
    ("POST", r"/parts/([^/]+)", "_completed"),
    ("POST", r"/api/uploads/([^/]+)/validate/", "_validate"),
    ("POST", r"/api/dandisets/([0-9]{6})/versions/draft/assets/", "_register"),
)


@dataclass
class Upload:
    """A file that is coming in parts."""

    size: int
    etag: str
    parts: dict[int, bytes] = field(default_factory=dict)
    file: Path | None = None

    @property
    def content(self) -> bytes:
        return b"".join(self.parts[number] for number in sorted(self.parts))


class UploadHandler:
    """Answers what writes: with "read only", unless the archive has a folder for what comes."""

    archive: Any
    command: str
    path: str
    headers: Any
    rfile: Any

    def do_POST(self) -> None:
        """Take note of what is written, and store it where the archive takes uploads."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = urlsplit(self.path).path
        known = bool(self.headers.get("Authorization"))
        with self.archive.lock:
            shown = body.decode() if body[:1] == b"{" else f"{len(body)} bytes"
            self.archive.log.append(f"{self.command} {self.path} {shown}")
        if self.archive.store is None:
            self._json({"detail": "This archive is read only."}, 405)
            return
        if known == target.startswith("/parts/"):  # the API asks for the token, storage must not get it
            self._json({"detail": "A token is missing, or where it should not be."}, 403)
            return
        for method, pattern, answer in UPLOAD_ROUTES:
            match = re.fullmatch(pattern, target)
            if match and method == self.command:
                getattr(self, answer)(body, *match.groups())
                return
        self._json({"detail": "Not found."}, 404)

    do_PUT = do_POST  # noqa: N815 - the base class's names
    do_DELETE = do_POST  # noqa: N815

    def _json(self, content: Any, status: int = 200) -> None:
        raise NotImplementedError

    def _plain(self, body: bytes, **headers: str) -> None:
        raise NotImplementedError

    def _initialize(self, body: bytes) -> None:
        asked = json.loads(body)
        name = str(uuid.uuid4())
        self.archive.uploads[name] = Upload(asked["contentSize"], asked["digest"]["value"])
        parts = [
            {
                "part_number": part.number,
                "size": part.size,
                "upload_url": f"{self.archive.url}/parts/{name}/{part.number}",
            }
            for part in DandiETag(asked["contentSize"]).get_parts()
        ]
        self._json({"upload_id": name, "parts": parts})

    def _part(self, body: bytes, name: str, number: str) -> None:
        self.archive.uploads[name].parts[int(number)] = body
        self._plain(b"", ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def _complete(self, body: bytes, name: str) -> None:
        good = len(json.loads(body)["parts"]) == len(self.archive.uploads[name].parts)
        url = f"{self.archive.url}/parts/{name}"
        self._json({"complete_url": url, "body": "<CompleteMultipartUpload/>"}, 200 if good else 400)

    def _completed(self, body: bytes, name: str) -> None:
        etag = self.archive.uploads[name].etag
        text = f'<?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"{etag}"</ETag>'
        self._plain(f"{text}</CompleteMultipartUploadResult>".encode())

    def _validate(self, body: bytes, name: str) -> None:
        upload = self.archive.uploads[name]
        upload.file = self.archive.store / f"{name}.nwb"
        upload.file.write_bytes(upload.content)
        good = len(upload.content) == upload.size and DandiETag.from_file(upload.file).as_str() == upload.etag
        self._json({"blob_id": name, "etag": upload.etag}, 200 if good else 400)

    def _register(self, body: bytes, dandiset: str) -> None:
        made = json.loads(body)
        upload = self.archive.uploads.get(made["blob_id"])
        if upload is None or upload.file is None or dandiset not in self.archive.dandisets:
            self._json({"detail": "Not found."}, 404)
            return
        asset = self.archive.add(made["metadata"]["path"], upload.file, dandiset)
        self._json(asset.entry() | {"metadata": made["metadata"]}, 201)
