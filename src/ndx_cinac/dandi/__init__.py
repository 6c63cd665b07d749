"""From a dandiset to a derived file that the archive accepts, without downloading the movie first."""

from .archives import Archive, DandiAsset, find_assets
from .downloads import download_asset
from .remote_files import StreamingOptions
from .streaming import OpenAsset, open_asset
from .transfer import Patience, Traffic

__all__ = [
    "Archive",
    "DandiAsset",
    "OpenAsset",
    "Patience",
    "StreamingOptions",
    "Traffic",
    "download_asset",
    "find_assets",
    "open_asset",
]
