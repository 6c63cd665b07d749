"""PredictionProvenance: how predictions were made, and from what."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack, cast

from pynwb import register_class, register_map
from pynwb.core import NWBDataInterface
from pynwb.io.core import NWBContainerMapper

from ..errors import InvalidTypeError
from . import checks
from .constructors import typed
from .namespace import NAMESPACE


class ProvenanceArguments(TypedDict):
    """What a PredictionProvenance holds; texts about the source may be empty where it is not known."""

    name: NotRequired[str]
    """Name in the file; "PredictionProvenance" by default."""
    software: str
    """Name and version of the software."""
    versions: str
    """Versions of what shaped the numbers: a JSON object, package to version."""
    parameters: str
    """Everything that shaped the numbers: a JSON object."""
    device: str
    """Where the network ran."""
    created: datetime
    """When the prediction ended, with its time zone."""
    source_file_identifier: str
    """`identifier` of the NWB file that was read."""
    source_movie_id: str
    """Object id of the ImageSeries."""
    source_movie_path: str
    """Path of the ImageSeries in that file."""
    source_segmentation_id: str
    """Object id of the PlaneSegmentation."""
    source_segmentation_path: str
    """Path of the PlaneSegmentation in that file."""
    source_path: NotRequired[str | None]
    """Path of the file."""
    dandi_asset: NotRequired[str | None]
    """The DANDI asset: its dandiset, version and path, or its URL."""
    source_digest: NotRequired[str | None]
    """Digest of the file, as "algorithm:value"."""


_OWN: dict[str, type] = {
    name: datetime if name == "created" else str
    for name in ProvenanceArguments.__annotations__
    if name != "name"
}


@register_class("PredictionProvenance", NAMESPACE)
class PredictionProvenance(NWBDataInterface):  # type: ignore[misc]
    """How predictions were made, and from what; attributes as in `ProvenanceArguments`.

    It is an NWBDataInterface because a ProcessingModule takes no other NWBContainer.
    """

    __nwbfields__ = tuple(_OWN)

    @typed("PredictionProvenance", NWBDataInterface, _OWN)
    def __init__(self, **arguments: Unpack[ProvenanceArguments]) -> None:
        """Make a provenance.

        Raises
        ------
        InvalidTypeError
            If `versions` or `parameters` is no JSON object, or `created` has no time zone.
        """
        if not self._in_construct_mode:
            where = f"'{arguments.get('name', 'PredictionProvenance')}'"
            checks.check_json_object(arguments["versions"], what="'versions'", where=where)
            checks.check_json_object(arguments["parameters"], what="'parameters'", where=where)
            if getattr(arguments["created"], "tzinfo", None) is None:
                what = f"'created' has no time zone: {arguments['created']}"
                raise InvalidTypeError(what, where=where, fix="Use datetime.now().astimezone()")
        super().__init__(name=arguments["name"])
        for name in _OWN:
            setattr(self, name, arguments.get(name))

    def versions_dict(self) -> dict[str, str]:
        """Versions by package."""
        return cast(dict[str, str], json.loads(self.versions))

    def parameters_dict(self) -> dict[str, Any]:
        """Parameters by name."""
        return cast(dict[str, Any], json.loads(self.parameters))


@register_map(PredictionProvenance)
class PredictionProvenanceMap(NWBContainerMapper):  # type: ignore[misc]
    """Turns `created` into the text that files hold, and back."""

    @NWBContainerMapper.object_attr("created")  # type: ignore[untyped-decorator]
    def text_of_created(self, container: PredictionProvenance, _manager: Any) -> str:
        """Give a file the time in ISO 8601."""
        return cast(str, container.created.isoformat())

    @NWBContainerMapper.constructor_arg("created")  # type: ignore[untyped-decorator]
    def created_of_text(self, builder: Any, _manager: Any) -> datetime:
        """Read it from there."""
        return datetime.fromisoformat(builder.attributes["created"])
