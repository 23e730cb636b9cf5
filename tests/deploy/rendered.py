"""What is deployed, as the tools themselves read it: Compose, Kubernetes, systemd, the image."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from configparser import RawConfigParser
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SYSTEMD = DEPLOY / "systemd"
OVERLAYS = ("office", "district", "city")
SITE = "office.example"

Environment = Mapping[str, str]


def tool(name: str) -> str:
    """A program that `make setup` brings."""
    return str(Path(sys.executable).with_name(name))


def told(*command: str, environment: Environment | None = None) -> str:
    """The output of a tool that must find nothing wrong."""
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(environment or {})}
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@cache
def compose() -> dict[str, Any]:
    """The Compose project with all its profiles, as Compose itself understands it."""
    command = [tool("docker-compose"), "--file", str(DEPLOY / "compose" / "compose.yaml")]
    for profile in ("ui", "tools", "connector"):
        command += ["--profile", profile]
    found: dict[str, Any] = json.loads(told(*command, "config", "--format", "json", environment={"SITE": SITE}))
    return found


@cache
def cluster(overlay: str) -> list[dict[str, Any]]:
    """Every object of an overlay, as kubectl would send it."""
    built = told(tool("kubectl"), "kustomize", str(DEPLOY / "kubernetes" / "overlays" / overlay))
    return [each for each in yaml.safe_load_all(built) if each]


def objects(overlay: str, *kinds: str) -> list[dict[str, Any]]:
    """The objects of these kinds."""
    return [each for each in cluster(overlay) if each["kind"] in kinds]


@dataclass(frozen=True)
class Pod:
    """What is run by one Deployment or Job; each of ours has one container."""

    overlay: str
    kind: str
    name: str
    replicas: int
    template: Mapping[str, Any]
    environment: Environment

    def __str__(self) -> str:
        return f"{self.overlay}-{self.name}"

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.template["spec"]  # type: ignore[no-any-return]

    @property
    def container(self) -> Mapping[str, Any]:
        (only,) = self.spec["containers"]
        return only  # type: ignore[no-any-return]


def pods() -> Iterator[Pod]:
    """Every pod of every overlay with its whole environment."""
    for overlay in OVERLAYS:
        maps = {each["metadata"]["name"]: each["data"] for each in objects(overlay, "ConfigMap")}
        for each in objects(overlay, "Deployment", "Job"):
            template = each["spec"]["template"]
            (container,) = template["spec"]["containers"]
            environment: dict[str, str] = {}
            for source in container.get("envFrom", ()):
                environment |= maps[source["configMapRef"]["name"]]
            environment |= {one["name"]: one["value"] for one in container.get("env", ())}
            replicas = each["spec"].get("replicas", 1)
            yield Pod(overlay, each["kind"], each["metadata"]["name"], replicas, template, environment)


def unit(path: Path) -> RawConfigParser:
    """A unit of systemd; of keys that stand several times the values are joined by line ends."""
    joined: dict[str, dict[str, str]] = {}
    section = ""
    for line in path.read_text("utf-8").splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            before = joined.setdefault(section, {}).get(name)
            joined[section][name] = value if before is None else f"{before}\n{value}"
    parser = RawConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_dict(joined)
    return parser


def variables(path: Path) -> dict[str, str]:
    """The lines of an environment file."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def image_environment() -> dict[str, str]:
    """What the image itself sets in its last stage."""
    last = (DEPLOY / "image" / "Dockerfile").read_text("utf-8").rpartition("\nFROM ")[2].replace("\\\n", " ")
    (line,) = re.findall(r"^ENV (.*)$", last, re.M)
    return dict(part.split("=", 1) for part in line.split())


def environments() -> Iterator[tuple[str, Environment]]:
    """Every environment in which a process of ours is started, with the place that says so."""
    image = image_environment()
    yield "image", image
    for name, service in compose()["services"].items():
        if service["image"].startswith("bihuan:"):
            yield f"compose {name}", {**image, **service.get("environment", {})}
    for pod in pods():
        if pod.container["image"].startswith("bihuan:"):
            yield f"kubernetes {pod}", {**image, **pod.environment}
    for path in sorted(SYSTEMD.glob("*.service")):
        service = unit(path)["Service"]
        given: dict[str, str] = {}
        for file in service.get("EnvironmentFile", "").split():
            given |= variables(SYSTEMD / f"{Path(file).name}.example")
        instance = "8001" if "console" in path.name else "1"
        for line in service.get("Environment", "").splitlines():
            given |= dict(part.replace("%i", instance).split("=", 1) for part in line.split())
        yield f"systemd {path.name}", given
