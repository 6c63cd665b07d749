"""Ranges of bytes of an asset: asked for again when a connection fails, from addresses that are renewed."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import ArchiveError, ConfigError
from .archives import DandiAsset

PIECE = 2**15
"""Bytes that are taken from a connection at a time: whole pieces that came before it broke are kept."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long to go on when the network fails.

    Attributes
    ----------
    attempts : int
        Requests without a single new byte, one after the other, until it is given up; 1 or more.
    first_wait : float
        Seconds before the second one; each further wait is twice as long, and a bit by chance.
    longest_wait : float
        Seconds of the longest wait.
    timeout : float
        Seconds without an answer after which a connection counts as dead.
    """

    attempts: int = 7
    first_wait: float = 0.5
    longest_wait: float = 30.0
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait < 0 or self.longest_wait < 0 or not self.timeout > 0:
            what = f"This patience cannot be had: {self}"
            raise ConfigError(what, fix="Give at least one attempt, and seconds that are not negative")

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        return float(min(self.longest_wait, self.first_wait * 2.0 ** (failures - 1)) * random.uniform(0.8, 1))


@dataclass
class Traffic:
    """What was asked for and what came.

    Attributes
    ----------
    requests : int
        Requests to the archive and its storage, those that failed included.
    bytes : int
        Bytes of content that came.
    failures : list of str
        What failed on the way and was tried again.
    """

    requests: int = 0
    bytes: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Traffic) -> None:
        """Count other traffic to this."""
        self.requests += other.requests
        self.bytes += other.bytes
        self.failures += other.failures

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.requests + other.requests, self.bytes + other.bytes, self.failures + other.failures
        )


@dataclass
class SignedAddress:
    """The storage's address of an asset, which several transfers share; None before one is asked for.

    There is no lock around it: at worst two threads ask for a new one at the same time.
    """

    current: str | None = None


class Transfer:
    """Fetches ranges of one asset, for one thread at a time; it takes no locks and writes no log.

    The storage's address is signed and holds for a while: it is asked for anew when the storage refuses it.
    The token, if there is one, goes to the archive's API only.

    Parameters
    ----------
    asset : DandiAsset
        The asset.
    patience : Patience
        How long to go on when the network fails.
    address : SignedAddress, optional
        Where the content is, if other transfers of the asset use it too.
    """

    def __init__(self, asset: DandiAsset, patience: Patience, address: SignedAddress | None = None) -> None:
        import requests

        self.asset = asset
        self.patience = patience
        self.traffic = Traffic()
        self.closed = False
        self._session = requests.Session()
        self._address = address or SignedAddress()

    def fetch(self, start: int, stop: int) -> bytes:
        """Return bytes `start` to `stop` (exclusive) of the asset.

        Raises
        ------
        ArchiveError
            If they cannot be had: the asset is gone, is not for everybody, or the network fails for long.
        """
        content = bytearray()

        def keep(piece: bytes) -> None:
            content.extend(piece)

        self.stream(start, stop, keep)
        return bytes(content)

    def stream(self, start: int, stop: int, take: Callable[[bytes], object]) -> None:
        """Hand bytes `start` to `stop` over as they come; raises as `fetch` does."""
        import requests

        position, failures, refusals = start, 0, 0
        while position < stop:
            before = position
            try:
                for piece in self._pieces(position, stop):
                    if self.closed:
                        break
                    take(piece)
                    position += len(piece)
                    self.traffic.bytes += len(piece)
                reason = "the connection was dropped"
            except _RefusedError as refused:
                refusals = refusals + 1 if position == before else 1
                if refusals > self.patience.attempts and refused.fresh:  # threads share addresses
                    refusal = self.asset.archive.refusal(f"Asset {self.asset.path}", refused.status)
                    raise refusal from refused
                self.traffic.failures.append(f"the address was refused ({refused.status})")
                continue
            except _FailedError as failed:
                reason = str(failed)
            except requests.RequestException as error:
                reason = f"{type(error).__name__}"
            if position >= stop:
                break
            failures = 1 if position > before else failures + 1
            self._wait_or_raise(failures, reason)

    def _pieces(self, start: int, stop: int) -> Any:
        """Give a range piece by piece, from one request."""
        address = self._address.current
        fresh = address is None
        if address is None:
            address = self._address.current = self._signed_address()
        self.traffic.requests += 1
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        with self._session.get(
            address, headers=headers, stream=True, timeout=self.patience.timeout, allow_redirects=True
        ) as answer:
            status = answer.status_code
            if status in (400, 401, 403):  # what storages answer to a signature that has expired
                if self._address.current == address:  # expired, most likely: the next one is new
                    self._address.current = None
                raise _RefusedError(status, fresh=fresh)
            if status == 404:
                self._raise_missing()
            if status == 200 and start > 0:
                what = f"The storage of '{self.asset.instance}' does not send ranges of files"
                raise ArchiveError(what, where=self.asset.path, fix="Download the asset first (--download)")
            if status not in (200, 206):
                what = f"the storage answered {status}"
                raise _FailedError(what)
            left = stop - start
            for piece in answer.iter_content(PIECE):
                yield piece[:left]
                left -= len(piece)
                if left <= 0:
                    return

    def _signed_address(self) -> str:
        """Ask the API where the content is; its answer is a redirection, which is not followed here."""
        self.traffic.requests += 1
        archive = self.asset.archive
        session = archive.client.session
        answer = session.get(
            self.asset.url, allow_redirects=False, stream=True, timeout=self.patience.timeout
        )
        answer.close()
        if answer.status_code in (401, 403):
            answer = archive.ask(
                lambda: archive.client.get(self.asset.url, json_resp=False, allow_redirects=False),
                f"Asset {self.asset.path}",
            )
        status, address = answer.status_code, answer.headers.get("Location")
        if address:
            return str(address)
        if status == 404:
            self._raise_missing()
        what = f"the archive answered {status} in place of an address"
        raise _FailedError(what)

    def _raise_missing(self) -> None:
        what = f"Asset {self.asset.path} is not in the archive '{self.asset.instance}' any more"
        raise ArchiveError(
            what, where=self.asset.asset_id, fix="Check the version, or list the dandiset again"
        )

    def _wait_or_raise(self, failures: int, reason: str) -> None:
        """Wait before the next attempt, or say that there will be none."""
        self.traffic.failures.append(reason)
        if self.closed:
            what = f"Asset {self.asset.path} was closed while it was being read"
            raise ArchiveError(what)
        if failures >= self.patience.attempts:
            what = f"Asset {self.asset.path} cannot be read: {reason}, {failures} times in a row"
            raise ArchiveError(what, where=self.asset.url, fix="Check the network and start again")
        time.sleep(self.patience.wait(failures))

    def close(self) -> None:
        """Close the connections; what another thread is fetching ends with its present request."""
        self.closed = True
        self._session.close()


class _RefusedError(Exception):
    """The storage takes an address not, or no longer; `fresh` if it had just been asked for."""

    def __init__(self, status: int, *, fresh: bool) -> None:
        self.status, self.fresh = status, fresh
        super().__init__(status)


class _FailedError(Exception):
    """One attempt failed in a way that may pass."""
