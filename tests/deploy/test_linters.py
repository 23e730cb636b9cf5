"""What is deployed passes the linter or schema of its own kind."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]
from kubernetes_validate.utils import schema_contents  # type: ignore[import-untyped]
from referencing import Registry, Resource

from runtime.temporal_server import temporal_binary
from tests.deploy.rendered import DEPLOY, OVERLAYS, SYSTEMD, cluster, compose, told, tool

SCRIPTS = sorted(DEPLOY.rglob("*.sh"))


def test_the_image_passes_hadolint() -> None:
    told(tool("hadolint"), "--failure-threshold", "style", str(DEPLOY / "image" / "Dockerfile"))


def test_compose_understands_its_file() -> None:
    assert {"postgres", "temporal", "worker", "witness", "console", "proxy"} <= set(compose()["services"])


_SCHEMAS = "kubernetes-json-schema/v1.37.0-local-strict"


@cache
def definitions() -> Any:
    """What the schemas of all kinds refer to; the package itself would read it anew for each object."""
    return Resource.from_contents(schema_contents(f"{_SCHEMAS}/_definitions.json", "1.37")) @ Registry()


def check(each: Mapping[str, Any]) -> None:
    """Raises ``ValidationError`` for what Kubernetes 1.37 would not take, unknown fields included."""
    version = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", each["apiVersion"])
    schema = schema_contents(f"{_SCHEMAS}/{each['kind'].lower()}-{version}.json", "1.37")
    Draft202012Validator(schema, registry=definitions()).validate(each)


def shape(value: object) -> object:
    """What a schema looks at: names and kinds of values, not which ones."""
    match value:
        case dict():
            return {name: shape(each) for name, each in sorted(value.items())} | {"kind": value.get("kind")}
        case list():
            return [shape(each) for each in value]
        case _:
            return type(value).__name__


def test_every_manifest_fits_the_schema_of_kubernetes() -> None:
    # Most objects have the same shape in every overlay.
    different = {json.dumps(shape(each)): each for overlay in OVERLAYS for each in cluster(overlay)}

    for each in different.values():
        check(each)


def test_a_manifest_that_does_not_fit_would_be_found() -> None:
    (deployment, *_) = [each for each in cluster("office") if each["kind"] == "Deployment"]
    wrong = json.loads(json.dumps(deployment))
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True

    with pytest.raises(ValidationError):
        check(wrong)


def test_the_rules_of_the_metrics_adapter_are_yaml_within_yaml() -> None:
    made = yaml.safe_load((DEPLOY / "kubernetes" / "metrics" / "prometheus-adapter.yaml").read_text("utf-8"))
    check(made)
    (rule,) = yaml.safe_load(made["data"]["config.yaml"])["externalRules"]
    scaled = {
        metric["external"]["metric"]["name"]
        for each in cluster("city")
        if each["kind"] == "HorizontalPodAutoscaler"
        for metric in each["spec"]["metrics"]
        if metric["type"] == "External"
    }

    assert scaled == {rule["name"]["as"]}


def test_caddy_takes_its_file_and_would_write_it_alike(tmp_path: Path) -> None:
    file = str(DEPLOY / "proxy" / "Caddyfile")
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}

    told(tool("caddy"), "validate", "--adapter", "caddyfile", "--config", file, environment=home)
    assert told(tool("caddy"), "fmt", file) == Path(file).read_text("utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_can_be_read_by_its_shell(script: Path) -> None:
    first = script.read_text("utf-8").splitlines()[0]
    shell = "bash" if "bash" in first else "sh"

    assert first in ("#!/usr/bin/env bash", "#!/bin/bash", "#!/bin/sh")
    told(shell, "-n", str(script))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd on this system")
def test_systemd_finds_nothing_wrong_and_little_exposed(tmp_path: Path) -> None:
    for path in [*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.timer"), *SYSTEMD.glob("*.target")]:
        # The programs are not installed where the tests run; everything else is as it is.
        text = re.sub(r"^(Exec\w+=)/\S+", r"\1/bin/true", path.read_text("utf-8"), flags=re.M)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    # Only the folder of the test: whatever else this machine has is not ours to judge.
    bare = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:/usr/lib/systemd/system:/lib/systemd/system"}

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], check=False, capture_output=True, text=True, env=bare
    )
    ours = [line for line in verified.stderr.splitlines() if "bihuan" in line]

    assert (verified.returncode, ours) == (0, [])
    services = [file for file in files if file.endswith(".service")]
    told("systemd-analyze", "security", "--offline=true", "--threshold=25", *services)


def test_the_temporal_server_knows_what_it_is_told() -> None:
    # The development server is made of the same parts: the names of settings and variables stand in it as they are.
    program = temporal_binary().read_bytes()
    dynamic = yaml.safe_load((DEPLOY / "temporal" / "dynamicconfig.yaml").read_text("utf-8"))
    environment = compose()["services"]["temporal"]["environment"]

    known = {name.decode() for name in re.findall(rb'env "([A-Z0-9_]+)"', program)}

    assert set(environment) - known == set()
    assert [name for name in dynamic if name.encode() not in program] == []
