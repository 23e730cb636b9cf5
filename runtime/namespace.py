"""The namespace at the Temporal server: its name, how long it keeps what has ended, its search attributes.

Owns the list of search attributes, for the embedded server and every other. Must not know any workflow.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Refused

SEARCH_ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "BihuanPhase": "Keyword",
        "BihuanDepartment": "KeywordList",
        "BihuanStreet": "Keyword",
        "BihuanDue": "Datetime",
        "BihuanRules": "Keyword",
    }
)
"""What the list of workflows can be searched by; personal data never is."""

_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}
_PAUSE = 0.5


@dataclass(frozen=True)
class Namespace:
    """What was found: ``exists``, its ``retention`` and the ``attributes`` of ours that it lacks."""

    name: str
    exists: bool
    retention: timedelta | None
    lacking: tuple[str, ...]

    def is_ready(self, retention: timedelta) -> bool:
        """Whether nothing is left to be done."""
        return self.exists and self.retention == retention and not self.lacking


async def look(client: Client) -> Namespace:
    """How the namespace of ``client`` stands; changes nothing.

    Raises ``Refused`` ``namespace.other_type`` when a search attribute of ours is there with another type: Temporal
    cannot change it, and acts would fail.
    """
    name = client.namespace
    try:
        found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=name))
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return Namespace(name, False, None, tuple(SEARCH_ATTRIBUTES))
    kept = found.config.workflow_execution_retention_ttl.ToTimedelta()
    return Namespace(name, True, kept, await _lacking(client))


async def prepare(client: Client, retention: timedelta, *, patience: timedelta = timedelta(seconds=60)) -> Namespace:
    """Make the namespace, set its retention, add what search attributes it lacks; returns what was found before.

    Returns when all of it can be used. A second call changes nothing; two at once are safe. What others have set on
    the namespace stays. Raises ``Refused`` as ``look`` does, and ``namespace.not_ready`` after ``patience``: a cluster
    takes some seconds to tell all its parts.
    """
    before = await look(client)
    if not before.exists:
        await _register(client, retention)
    elif before.retention != retention:
        config = NamespaceConfig(workflow_execution_retention_ttl=_span(retention))
        request = UpdateNamespaceRequest(namespace=before.name, config=config)
        await client.workflow_service.update_namespace(request)
    deadline = time.monotonic() + patience.total_seconds()
    while not (
        await _try_add(client, before.lacking)
        and (await look(client)).is_ready(retention)
        and await _takes_attributes(client)
    ):
        if time.monotonic() > deadline:
            raise Refused("namespace.not_ready", name=before.name)
        await asyncio.sleep(_PAUSE)
    return before


async def complete(client: Client) -> bool:
    """Whether all search attributes of ours can be used; those that the namespace lacks are added.

    For a namespace that is there. Raises ``Refused`` as ``look`` does.
    """
    return await _try_add(client, await _lacking(client)) and await _takes_attributes(client)


async def _register(client: Client, retention: timedelta) -> None:
    request = RegisterNamespaceRequest(
        namespace=client.namespace,
        description="Bihuan: residents' requests",
        workflow_execution_retention_period=_span(retention),
    )
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise


async def _try_add(client: Client, names: tuple[str, ...]) -> bool:
    """Whether the attributes are there; a cluster that has not yet heard of the namespace knows none."""
    if not names:
        return True
    wanted = {name: _TYPES[SEARCH_ATTRIBUTES[name]] for name in names}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status not in (RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.NOT_FOUND):
            raise
        return error.status == RPCStatusCode.ALREADY_EXISTS
    return True


async def _lacking(client: Client) -> tuple[str, ...]:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    known = (await client.operator_service.list_search_attributes(request)).custom_attributes
    for name, kind in SEARCH_ATTRIBUTES.items():
        if name in known and known[name] != _TYPES[kind]:
            raise Refused("namespace.other_type", name=name, type=kind)
    return tuple(name for name in SEARCH_ATTRIBUTES if name not in known)


async def _takes_attributes(client: Client) -> bool:
    """Whether a search by the attributes is understood: they are listed some seconds before they can be used."""
    query = " or ".join(f"{name} is null" for name in SEARCH_ATTRIBUTES)
    try:
        await client.count_workflows(query)
    except RPCError as error:
        if error.status not in (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.NOT_FOUND):
            raise
        return False
    return True


def _span(length: timedelta) -> Duration:
    made = Duration()
    made.FromTimedelta(length)
    return made
