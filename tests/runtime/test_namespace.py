"""The namespace of a Temporal server of one's own, and how the connection to it is protected."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from domain.errors import Refused
from runtime import namespace
from runtime.namespace import SEARCH_ATTRIBUTES, look, prepare
from runtime.settings import Settings, find_endpoints, tls_of
from runtime.temporal import connect_plainly
from runtime.temporal_server import EmbeddedTemporal
from workflows import ids

MONTH = timedelta(days=30)


async def another(env: WorkflowEnvironment) -> Client:
    """A client for a namespace that is not there yet."""
    address = env.client.service_client.config.target_host
    return await connect_plainly(address, f"street-{uuid4().hex}")


async def test_a_namespace_is_made_once_with_everything_and_then_left_alone(temporal_env: WorkflowEnvironment) -> None:
    client = await another(temporal_env)

    first = await prepare(client, MONTH)
    after = await look(client)
    again = await prepare(client, MONTH)

    assert (first.exists, first.lacking) == (False, tuple(SEARCH_ATTRIBUTES))
    assert after.is_ready(MONTH)
    assert again == after


async def test_another_retention_is_set_and_a_missing_attribute_added(temporal_env: WorkflowEnvironment) -> None:
    client = await another(temporal_env)
    await prepare(client, MONTH)

    before = await prepare(client, 2 * MONTH)

    assert before.retention == MONTH
    assert (await look(client)).is_ready(2 * MONTH)


async def test_what_was_made_can_be_used_at_once(tmp_path: Path) -> None:
    async with EmbeddedTemporal(tmp_path, ui=False) as server:
        client = await connect_plainly(server.address, f"street-{uuid4().hex}")
        await prepare(client, MONTH)

        shown = ids.at_start("triage")
        handle = await client.start_workflow("nobody-runs-this", id="first", task_queue="none", search_attributes=shown)

        assert (await handle.describe()).typed_search_attributes[ids.PHASE] == "triage"


async def test_a_store_of_an_older_release_gets_the_attributes_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("runtime.temporal_server.SEARCH_ATTRIBUTES", {"BihuanStreet": "Keyword"})
        older.setattr("runtime.namespace.SEARCH_ATTRIBUTES", {"BihuanStreet": "Keyword"})
        async with EmbeddedTemporal(tmp_path, ui=False) as server:
            client = await connect_plainly(server.address, "default")
            assert (await look(client)).lacking == ()

    async with EmbeddedTemporal(tmp_path, ui=False) as server:
        client = await connect_plainly(server.address, "default")
        assert (await look(client)).lacking == ()
        assert (await client.count_workflows("BihuanPhase = 'triage'")).count == 0


async def test_an_attribute_of_another_type_is_refused(temporal_env: WorkflowEnvironment) -> None:
    client = await another(temporal_env)
    lacking = namespace.Namespace(client.namespace, True, MONTH, ())
    await namespace._register(client, MONTH)
    wrong = {"BihuanDue": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
    request = AddSearchAttributesRequest(namespace=lacking.name, search_attributes=wrong)
    await client.operator_service.add_search_attributes(request)

    with pytest.raises(Refused) as refused:
        await prepare(client, MONTH)

    assert (refused.value.code, refused.value.refusal.params["name"]) == ("namespace.other_type", "BihuanDue")


def test_the_workflows_write_exactly_what_a_namespace_is_given() -> None:
    written = (ids.PHASE, ids.DEPARTMENT, ids.STREET, ids.DUE, ids.RULES)

    assert {key.name for key in written} == set(SEARCH_ATTRIBUTES)
    for key in written:
        assert key.indexed_value_type.name.replace("_", "") == SEARCH_ATTRIBUTES[key.name].upper()


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"temporal_tls": True, "temporal_tls_cert_file": "c"}, "BIHUAN_TEMPORAL_TLS_KEY_FILE"),
        ({"temporal_tls": True, "temporal_tls_key_file": "k"}, "BIHUAN_TEMPORAL_TLS_CERT_FILE"),
        ({"temporal_tls_ca_file": "ca"}, "BIHUAN_TEMPORAL_TLS"),
    ],
)
def test_half_a_protection_never_becomes_plain_text(given: dict[str, object], wrong: str, tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path, database_url="postgresql:///x", temporal_address="t:7233", **given)

    with pytest.raises(Refused) as refused:
        find_endpoints(settings)

    assert refused.value.refusal.params["name"] == wrong


async def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path, temporal_tls=True, temporal_tls_ca_file=tmp_path / "ca.pem")

    with pytest.raises(Refused) as refused:
        await connect_plainly("127.0.0.1:1", "default", tls=tls_of(settings))

    assert refused.value.code == "file.unreadable"
