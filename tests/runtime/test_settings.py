"""Settings: defaults, environment, secret files and where the servers are."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from domain.errors import Refused
from runtime.endpoints import Endpoints, write_endpoints
from runtime.settings import Settings, find_endpoints, settings_table


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in settings_table():
        monkeypatch.delenv(row.variable, raising=False)
        monkeypatch.delenv(f"{row.variable}_FILE", raising=False)


def running(pid: int) -> Endpoints:
    return Endpoints(
        pid=pid,
        postgres="postgresql:///bihuan?host=%2Fhere",
        temporal="127.0.0.1:20001",
        namespace="default",
        ui=None,
        started_at=datetime(2026, 11, 21, 8, tzinfo=UTC),
    )


def test_the_environment_overrides_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BIHUAN_DATA", str(tmp_path))
    monkeypatch.setenv("BIHUAN_STICKY_TIMEOUT", "1500ms")
    monkeypatch.setenv("BIHUAN_POOL_SIZE", "4")

    settings = Settings.load()

    assert settings.sticky_timeout == timedelta(milliseconds=1500)
    assert settings.pool_size == 4
    assert settings.key_file == tmp_path / "master.key"
    assert (settings.task_queue, settings.language, settings.sandbox) == ("bihuan", "zh", False)


def test_a_secret_comes_from_its_file_and_is_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://clerk:s3cret@db/bihuan\n", encoding="utf-8")
    monkeypatch.setenv("BIHUAN_DATABASE_URL_FILE", str(tmp_path / "url"))

    settings = Settings.load()

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://clerk:s3cret@db/bihuan"
    assert "s3cret" not in repr(settings)


def test_a_missing_secret_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BIHUAN_DATABASE_URL_FILE", str(tmp_path / "nowhere"))

    with pytest.raises(Refused) as refused:
        Settings.load()

    assert refused.value.code == "settings.unreadable"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("BIHUAN_LOG_LEVEL", "loud"), ("BIHUAN_POOL_SIZE", "0"), ("BIHUAN_STICKY_TIMEOUT", "soon")],
)
def test_a_wrong_value_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(Refused) as refused:
        Settings.load()

    assert (refused.value.code, refused.value.refusal.field) == ("settings.invalid", variable)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        setattr(Settings.load(), "language", "en")  # noqa: B010 - the type checker would refuse the plain form


def test_every_setting_is_explained_in_the_table() -> None:
    table = settings_table()

    assert all(row.meaning for row in table)
    assert {row.variable: row.default for row in table}["BIHUAN_STICKY_TIMEOUT"] == "3s"


def test_endpoints_come_from_the_running_instance_unless_given(tmp_path: Path) -> None:
    write_endpoints(tmp_path, running(os.getpid()))

    found = find_endpoints(Settings.load(data=tmp_path))
    given = find_endpoints(Settings.load(data=tmp_path, database_url="postgresql://db/x", temporal_address="t:7233"))

    assert found.temporal == "127.0.0.1:20001"
    assert (given.postgres, given.temporal) == ("postgresql://db/x", "t:7233")


def test_endpoints_of_a_dead_instance_are_none(tmp_path: Path) -> None:
    write_endpoints(tmp_path, running(2**22 + 1))

    with pytest.raises(Refused) as refused:
        find_endpoints(Settings.load(data=tmp_path))

    assert refused.value.code == "instance.not_running"


@pytest.mark.parametrize("days", ["199", "0", "-1"])
def test_the_security_log_cannot_be_kept_for_less_than_200_days(monkeypatch: pytest.MonkeyPatch, days: str) -> None:
    assert Settings.load().security_log_days == 1096
    monkeypatch.setenv("BIHUAN_SECURITY_LOG_DAYS", days)

    with pytest.raises(Refused) as refused:
        Settings.load()

    assert refused.value.code == "settings.invalid"
