"""Which release of the worker takes which process.

Owns the name this release has at the Temporal server and the question which release is the current one. Off unless
the office names a deployment: from then on a worker gets work only when its build has been made current.
"""

from dataclasses import dataclass
from importlib.metadata import version

from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest, SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from domain.errors import Refused
from runtime.settings import Settings

_BEHAVIOURS = {"auto_upgrade": VersioningBehavior.AUTO_UPGRADE, "pinned": VersioningBehavior.PINNED}


def build_of(settings: Settings) -> str:
    """What this release of the worker is called at the Temporal server."""
    return settings.worker_build or version("bihuan")


def deployment_of(settings: Settings) -> WorkerDeploymentConfig | None:
    """What a worker says about itself; None when the office does not tell releases apart."""
    if settings.worker_deployment is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.worker_deployment, build_of(settings)),
        use_worker_versioning=True,
        default_versioning_behavior=_BEHAVIOURS[settings.worker_versioning],
    )


@dataclass(frozen=True)
class Deployment:
    """The builds a deployment knows, and the ``current`` one; None while workers of no build get new work."""

    name: str
    current: str | None
    builds: tuple[str, ...]


async def read_deployment(client: Client, settings: Settings) -> Deployment:
    """What the server knows of the office's deployment.

    Raises ``Refused`` ``upgrade.not_versioned`` when the office names none, ``upgrade.unknown_deployment`` before its
    first worker has called.
    """
    name = _name(settings)
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=name)
    try:
        answer = await client.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        raise Refused("upgrade.unknown_deployment", name=name) from error
    info = answer.worker_deployment_info
    builds = tuple(each.deployment_version.build_id for each in info.version_summaries)
    current = info.routing_config.current_deployment_version.build_id
    return Deployment(name, current or None, builds)


async def make_current(client: Client, settings: Settings) -> str | None:
    """Give all new work, and with ``auto_upgrade`` all open processes, to this build; returns the build before it.

    Every part of the server goes by it within seconds. The build that is current already stays it. Raises
    ``Refused`` as ``read_deployment`` does, and ``upgrade.no_worker`` when no worker of this build has called: work
    nobody takes must not wait for it.
    """
    found, build = await read_deployment(client, settings), build_of(settings)
    if build not in found.builds:
        raise Refused("upgrade.no_worker", name=found.name, build=build)
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=found.name, build_id=build, identity="bihuan upgrade"
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(request)
    except RPCError as error:
        if error.status not in (RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.NOT_FOUND):
            raise
        raise Refused("upgrade.no_worker", name=found.name, build=build) from error
    return found.current


def _name(settings: Settings) -> str:
    if settings.worker_deployment is None:
        raise Refused("upgrade.not_versioned")
    return settings.worker_deployment
