"""Every variable in what is deployed is a setting of the program, with a value it takes, and its files are there."""

import re
from pathlib import Path

import pytest

from console.http.site import site_of
from domain.errors import Refused
from runtime.settings import PREFIX, Settings, find_temporal, settings_table
from tests.deploy.rendered import DEPLOY, ROOT, Environment, compose, environments, pods

KNOWN = {row.variable for row in settings_table()}
# A secret may be given as the name of a file.
SECRET_FILES = {
    f"{PREFIX}{name}_FILE"
    for name in ("DATABASE_URL", "SMTP_URL", "WEBHOOK_SECRET", "APPRISE_URLS", "OIDC_CLIENT_SECRET")
} | {f"{PREFIX}FILE_S3_KEY_FILE", f"{PREFIX}FILE_S3_SECRET_FILE"}


def test_every_variable_is_a_setting_with_a_value_the_program_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = list(environments())
    for where, given in found:
        with monkeypatch.context() as patch:
            _take(where, given, patch, tmp_path)

    assert {where.split()[0] for where, _ in found} == {"image", "compose", "kubernetes", "systemd"}


def _take(where: str, given: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = {name: value for name, value in given.items() if name.startswith(PREFIX)}
    assert set(ours) - KNOWN - SECRET_FILES == set(), where
    for name in KNOWN | SECRET_FILES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "secret").write_text("postgresql://somebody:secret@postgres:5432/bihuan\n", encoding="utf-8")
    for name, value in ours.items():
        monkeypatch.setenv(name, str(tmp_path / "secret") if name in SECRET_FILES and value else value)

    settings = Settings.load()
    if settings.temporal_address:
        address, _, tls = find_temporal(settings)
        assert address.endswith(":7233")
        assert tls is not None, f"{where} speaks plain text with Temporal"
    if settings.public_url:
        assert site_of(settings).secure, where


def test_a_wrong_value_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIHUAN_GRACEFUL_SHUTDOWN", "soon")

    with pytest.raises(Refused):
        Settings.load()


def test_a_container_of_compose_has_every_file_its_settings_name() -> None:
    for name, service in compose()["services"].items():
        secrets = {f"/run/secrets/{each['target'].rpartition('/')[2]}" for each in service.get("secrets", ())}
        places = [each["target"] for each in service.get("volumes", ())]
        for variable, value in service.get("environment", {}).items():
            if not str(value).startswith("/") or variable.startswith("XDG_"):
                continue
            there = value in secrets or any(Path(value).is_relative_to(place) for place in places)
            optional = name == "migrate" and "TEMPORAL_TLS" in variable
            assert there or optional, f"{name}: {variable}={value} is not in the container"


def test_a_pod_has_every_file_its_settings_name() -> None:
    for pod in pods():
        mounts = {each["mountPath"]: each["name"] for each in pod.container["volumeMounts"]}
        volumes = {each["name"] for each in pod.spec["volumes"]}
        assert set(mounts.values()) <= volumes, f"{pod}: a mount without a volume"
        # The jobs before a roll-out are given only what they need; what they do not need they do not open.
        if pod.kind == "Job":
            continue
        for variable, value in pod.environment.items():
            if variable.startswith(PREFIX) and value.startswith("/"):
                there = any(Path(value).is_relative_to(place) for place in mounts)
                assert there, f"{pod}: {variable}={value} is not in the pod"


def test_every_secret_of_a_pod_is_told_to_whoever_must_make_it() -> None:
    told = (DEPLOY / "kubernetes" / "secrets.md").read_text("utf-8")
    named = {each["secret"]["secretName"] for pod in pods() for each in pod.spec["volumes"] if "secret" in each}

    assert [name for name in sorted(named) if f"`{name}`" not in told] == []


def test_every_setting_a_document_or_script_names_exists() -> None:
    texts = [*ROOT.glob("docs/operations/*.md"), *DEPLOY.rglob("*.md"), *DEPLOY.rglob("*.sh"), *DEPLOY.rglob("*.yaml")]
    for path in texts:
        for name in re.findall(r"\bBIHUAN_[A-Z0-9_]*[A-Z0-9]\b", path.read_text("utf-8")):
            assert name in KNOWN | SECRET_FILES, f"{path.relative_to(ROOT)} names {name}"
