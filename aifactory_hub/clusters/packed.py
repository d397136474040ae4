"""What a tenant's object holds compressed: unpacked within limits."""

from __future__ import annotations

import base64
import binascii
import zlib

import msgspec

from .answers import UNPARSABLE
from .errors import ApiNonsense
from .tenant_objects import Json, WorkflowNode, WorkflowNodes, tidied

# A workflow of 20,000 steps is about this large.
_LONGEST = 16 * 2**20
_GZIP = 31

_nodes = msgspec.json.Decoder(WorkflowNodes)


def unpack_nodes(packed: str) -> dict[str, Json]:
    """The nodes of a large Workflow, which Argo keeps as base64 of gzip. Raises ApiNonsense."""
    try:
        reader = zlib.decompressobj(_GZIP)
        data = reader.decompress(base64.b64decode(packed, validate=True), _LONGEST)
        if not reader.eof:
            raise ApiNonsense(f"a workflow's steps are broken off, or larger than {_LONGEST} bytes")
        nodes: dict[str, WorkflowNode] = _nodes.decode(data)
    except (binascii.Error, zlib.error, ValueError, *UNPARSABLE) as error:
        raise ApiNonsense("a workflow's compressed steps can't be read") from error
    unpacked: dict[str, Json] = tidied(msgspec.to_builtins(nodes))
    return unpacked
