"""From a dandiset to a derived file that the archive accepts, without downloading the movie first."""

from .archives import Archive, DandiAsset
from .derived import DerivedFile, DerivedOptions, predict_asset
from .downloads import download_asset
from .findings import Finding
from .listing import ListedAsset, list_assets
from .names import derived_path
from .readiness import check_ready
from .remote_files import StreamingOptions
from .search import find_assets
from .streaming import OpenAsset, open_asset
from .transfer import Patience, Traffic
from .uploading import Upload, plan_upload

__all__ = [
    "Archive",
    "DandiAsset",
    "DerivedFile",
    "DerivedOptions",
    "Finding",
    "ListedAsset",
    "OpenAsset",
    "Patience",
    "StreamingOptions",
    "Traffic",
    "Upload",
    "check_ready",
    "derived_path",
    "download_asset",
    "find_assets",
    "list_assets",
    "open_asset",
    "plan_upload",
    "predict_asset",
]
