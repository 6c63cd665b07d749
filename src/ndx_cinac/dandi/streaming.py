"""Open an asset as an NWB file: over the network as it is read, or from a copy that was downloaded first."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import h5py
from pynwb import NWBHDF5IO

from ..errors import ArchiveError, CinacError, ReadingError
from ..hdf5_links import link_fault
from ..movies import Movie, StoredMovie
from ..reading.opening import OpenedFile, open_nwbfile
from .archives import DandiAsset
from .downloads import download_asset
from .remote_files import RemoteFile, StreamingOptions
from .remote_movies import RemoteMovie
from .search import find_assets
from .transfer import Traffic

_log = logging.getLogger(__name__)


@dataclass
class OpenAsset(OpenedFile):
    """An asset that is open: give it to `read_recording` or `predict_activity`, or look into its `nwbfile`.

    Use it in a ``with`` statement. What was read from it cannot be read further once it is closed.

    Attributes
    ----------
    asset : DandiAsset
        Which it is.
    downloaded : Path or None
        The copy that it is read from; None where it is streamed.
    keep_in : Path or None
        The temporary folder of a run: what is fetched of a movie is kept there for the next run, if the
        folder is there when the movie is opened.
    """

    asset: DandiAsset = field(kw_only=True)
    downloaded: Path | None = field(default=None, kw_only=True)
    keep_in: Path | None = field(default=None, kw_only=True)
    _remote: RemoteFile | None = field(default=None, kw_only=True, repr=False)
    _movies: list[RemoteMovie] = field(default_factory=list, kw_only=True, repr=False)
    _traffic: Traffic = field(default_factory=Traffic, kw_only=True, repr=False)

    @property
    def traffic(self) -> Traffic:
        """Requests and bytes so far, for the file's structure, its movie or its download."""
        parts = [each.traffic for each in (self._remote, *self._movies) if each is not None]
        return sum(parts, self._traffic)

    @property
    def movie_bytes(self) -> int | None:
        """Bytes that the movies that were read take in the file; None where that is not known."""
        known = [each.stored_bytes for each in self._movies]
        return sum(each for each in known if each is not None) if known and None not in known else None

    @property
    def movie_read(self) -> int | None:
        """Bytes that were fetched of these movies; None where `movie_bytes` is not known."""
        return None if self.movie_bytes is None else sum(each.traffic.bytes for each in self._movies)

    def clear_errors(self) -> AbstractContextManager[None]:
        """Return a context that raises what failed on the network, and not what HDF5 made of it."""
        return nullcontext() if self._remote is None else self._remote.clear_errors()

    def __enter__(self) -> OpenAsset:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.close is not None:
            self.close()
            self.close = None


def open_asset(
    asset: str | DandiAsset,
    path: str | None = None,
    *,
    instance: str | None = None,
    version: str | None = None,
    download_to: str | Path | None = None,
    options: StreamingOptions | None = None,
) -> OpenAsset:
    """Open an asset of a dandiset as an NWB file.

    Parameters
    ----------
    asset : str or DandiAsset
        Its address in any form that the dandi client knows, its dandiset (then with `path`), or the asset as
        `find_assets` gives it.
    path : str, optional
        Its path in the dandiset.
    instance, version : str, optional
        Archive and version of a dandiset, as in `find_assets`.
    download_to : str or Path, optional
        A folder: the asset is downloaded into it first, verified by its digest, and read from there. A
        download that was interrupted is continued. By default nothing is downloaded: what is read is fetched.
    options : StreamingOptions, optional
        How it is read over the network.

    Returns
    -------
    OpenAsset
        Close it, or use it in a ``with`` statement.

    Raises
    ------
    ArchiveError
        If it is not there, is not for everybody, is not one asset, or cannot be read.
    ReadingError
        If it is no NWB file in HDF5.
    MissingExtraError
        If dandi or remfile is not installed.
    """
    options = options or StreamingOptions()
    found = asset if isinstance(asset, DandiAsset) else _one_asset(asset, path, instance, version)
    if download_to is not None:
        traffic = Traffic()
        copy = download_asset(found, Path(download_to), options.patience, traffic)
        opened = open_nwbfile(copy)
        # no path: where a copy of it lies on this machine is not told to whoever reads the derived file
        named = (opened.nwbfile, None, opened.close, *_origin(found))
        return OpenAsset(*named, asset=found, downloaded=copy, _traffic=traffic)
    return _stream(found, options)


def _one_asset(target: str, path: str | None, instance: str | None, version: str | None) -> DandiAsset:
    """Find the one asset that is meant."""
    found = find_assets(target, [] if path is None else [path], instance=instance, version=version)
    if len(found) != 1:
        what = f"'{target}' means {len(found)} assets, not one"
        raise ArchiveError(what, fix="Give the address of one asset, or its path in the dandiset")
    return found[0]


def _origin(asset: DandiAsset) -> tuple[str, str | None]:
    """Return what the provenance says of an asset, without any signature, and its digest."""
    return f"{asset}, {asset.url}", asset.digest or None


def _stream(asset: DandiAsset, options: StreamingOptions) -> OpenAsset:
    """Open an asset over the network."""
    if not asset.path.endswith(".nwb"):
        what = f"Asset {asset.path} is no NWB file in HDF5, which is all that can be read from an archive"
        raise ReadingError(what)
    remote = RemoteFile(asset, options)
    file = io = None
    try:
        with remote.clear_errors():
            file = h5py.File(remote, "r")
            fault = link_fault(file)
            if fault:
                what = f"Asset {asset.path} is damaged: {fault}"
                raise ReadingError(what, where=asset.url)
            io = NWBHDF5IO(file=file, mode="r", load_namespaces=True)
            nwbfile = io.read()
    except Exception as error:
        for each in (io, file, remote):
            if each is not None:
                each.close()
        if isinstance(error, CinacError):
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        what = f"Asset {asset.path} cannot be read as an NWB file: {lines[0]}"
        raise ReadingError(what, where=asset.url) from error
    movies: list[RemoteMovie] = []

    def prepare(movie: Movie) -> Movie:
        if not isinstance(movie, StoredMovie):
            return movie
        movies.append(RemoteMovie(movie, remote, options, (opened.keep_in, f"movie-{len(movies)}")))
        return movies[-1]

    def close() -> None:
        for movie in movies:
            movie.close()
        io.close()
        file.close()
        remote.close()
        _report(opened)

    opened = OpenAsset(
        nwbfile, None, close, *_origin(asset), prepare, asset=asset, _remote=remote, _movies=movies
    )
    return opened


def _report(opened: OpenAsset) -> None:
    """Tell the log what was read, and what failed on the way."""
    traffic = opened.traffic
    _log.info("Read %.1f MB of %s in %d requests.", traffic.bytes / 1e6, opened.asset, traffic.requests)
    for failure in traffic.failures:
        _log.info("On the way %s; it was tried again.", failure)
