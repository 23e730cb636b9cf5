"""The settings of one installation, read once from the environment.

Owns every key, its default and its meaning. Must not open connections or create files. Each setting is the variable
``BIHUAN_<NAME>``; a secret may be given as ``BIHUAN_<NAME>_FILE``, the path of a file that holds it.
"""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from domain.errors import Refused
from runtime.endpoints import Endpoints, TemporalTls, read_endpoints

PREFIX = "BIHUAN_"
_SECRETS = frozenset(
    {
        *("database_url", "smtp_url", "webhook_secret", "apprise_urls"),
        *("oidc_client_secret", "file_s3_key", "file_s3_secret"),
    }
)
_ADDRESS = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$"
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}


def _span(value: object) -> object:
    """Read ``500ms``, ``3s``, ``2m`` or ``1h``; what else is a duration, and what is none, pydantic decides."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h)", value) if isinstance(value, str) else None
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else value


Span = Annotated[timedelta, BeforeValidator(_span)]


def _user_data() -> Path:
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "bihuan"


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads ``BIHUAN_<NAME>_FILE`` for each secret setting; an empty file is a secret that is not given."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE") if field_name in _SECRETS else None
        return (Path(path).read_text(encoding="utf-8").strip() or None) if path else None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """Everything that may differ between two installations; frozen, complete with defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    data: Path = Field(default_factory=_user_data, description="Data folder of the embedded servers, logs and keys")
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL address; without it the instance running on the data folder is used"
    )
    temporal_address: str | None = Field(
        default=None, description="Temporal address host:port; without it the instance on the data folder is used"
    )
    temporal_namespace: str = Field(default="default", description="Temporal namespace")
    temporal_tls: bool = Field(default=False, description="Speak TLS with Temporal at temporal_address")
    temporal_tls_ca_file: Path | None = Field(
        default=None, description="Certificates of the authority of Temporal; without it those of the system"
    )
    temporal_tls_cert_file: Path | None = Field(
        default=None, description="Certificate by which this process shows Temporal who it is (mTLS)"
    )
    temporal_tls_key_file: Path | None = Field(default=None, description="Private key of that certificate")
    temporal_tls_name: str | None = Field(
        default=None, description="Name in Temporal's certificate, where it is not that of the address"
    )
    temporal_retention_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days for which bihuan namespace lets Temporal keep the history of what has ended",
    )
    temporal_ui_origin: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+$",
        description="Origin of Temporal's own pages that may ask /temporal/decode for payloads; without it none may",
    )
    task_queue: str = Field(default="bihuan", description="Task queue of the workflows and their activities")
    master_key_file: Path | None = Field(
        default=None, description="File with the 32-byte master key of the vault; default <data>/master.key"
    )
    signing_key_file: Path | None = Field(
        default=None, description="File with the 32-byte key that signs checkpoints; default <data>/signing.key"
    )
    anchor_file: Path | None = Field(
        default=None, description="File of signed checkpoints, best on another disk; default <data>/anchors.jsonl"
    )
    checkpoints: bool = Field(default=True, description="Whether this worker makes checkpoints and writes that file")
    checkpoint_events: int = Field(
        default=1_000, ge=10, le=100_000, description="Events after which a checkpoint is made at the latest"
    )
    checkpoint_every: Span = Field(
        default=timedelta(minutes=10),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="How long after the last checkpoint the next one is made, if anything has happened",
    )
    checkpoint_webhook: bool = Field(
        default=False, description="Whether every checkpoint is also sent to webhook_url, signed like a notice"
    )
    payload_key_file: Path | None = Field(
        default=None,
        description="For a connector: file with the keys of its tasks instead of the master key (bihuan key payload)",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged")
    log_format: Literal["console", "json"] = Field(default="console", description="Logs for people or for machines")
    worker_metrics: str | None = Field(
        default=None,
        pattern=_ADDRESS,
        description="Address host:port at which this worker tells its metrics and health; without it nowhere",
    )
    console_metrics: str | None = Field(
        default=None,
        pattern=_ADDRESS,
        description="Address host:port at which this console tells its metrics and health; without it nowhere",
    )
    connector_metrics: str | None = Field(
        default=None,
        pattern=_ADDRESS,
        description="Address host:port at which this connector tells its metrics and health; without it nowhere",
    )
    tracing_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s@]+$",
        description="Address of an OpenTelemetry collector (OTLP over HTTP) for traces; needs the extra tracing",
    )
    language: Literal["zh", "en"] = Field(default="zh", description="Language of messages for people")
    pollers: Literal["fixed", "autoscaling"] = Field(
        default="fixed", description="Whether all pollers ask all the time, or as many as there is work for"
    )
    workflow_pollers: int = Field(default=16, ge=2, le=200, description="Most workflow task pollers of one worker")
    nonsticky_ratio: float = Field(
        default=0.5, gt=0, lt=1, description="Share of fixed pollers that ask the shared queue"
    )
    workflow_slots: int = Field(default=100, ge=2, le=10_000, description="Workflow tasks one worker does at once")
    activity_pollers: int = Field(
        default=5, ge=1, le=200, description="Most pollers of one worker for acts that wait for the ledger"
    )
    activity_slots: int | None = Field(
        default=None, ge=1, le=1000, description="Such acts one worker does at once; default pool_size"
    )
    local_activity_slots: int | None = Field(
        default=None, ge=1, le=1000, description="Acts one worker decides and records at once; default pool_size"
    )
    max_cached_workflows: int | None = Field(
        default=None, ge=0, description="Processes one worker keeps in memory; default what fits into it"
    )
    sticky_timeout: Span = Field(
        default=timedelta(seconds=3), description="How long a process waits for the worker that had it in memory"
    )
    graceful_shutdown: Span = Field(
        default=timedelta(seconds=20), description="How long a stopping worker lets its activities finish"
    )
    opening_rate: int = Field(
        default=25,
        ge=1,
        le=10_000,
        description="Openings a second that one console takes from programs; people never wait for their turn",
    )
    drain: Span = Field(
        default=timedelta(0),
        le=timedelta(minutes=5),
        description="How long a console that is told to stop goes on answering, not ready, until proxies let go of it",
    )
    pool_size: int = Field(default=10, ge=1, le=100, description="PostgreSQL connections of one worker or console")
    worker_deployment: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,60}$",
        description="Name under which Temporal tells releases of the worker apart; without it it does not",
    )
    worker_build: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._+-]{1,60}$",
        description="What this release of the worker is called there; default its version",
    )
    worker_versioning: Literal["auto_upgrade", "pinned"] = Field(
        default="auto_upgrade", description="Whether open processes move to the current release or stay with theirs"
    )
    compress_payloads: bool = Field(
        default=True,
        description="Make what workers leave in Temporal smaller; false while a release that cannot read it works too",
    )
    sandbox: bool = Field(default=False, description="Run workflows in the sandbox (slower; for development)")
    console_host: str = Field(default="127.0.0.1", description="Address on which the console listens")
    console_port: int = Field(default=8000, ge=0, le=65535, description="Port of the console; 0 takes a free one")
    public_url: str | None = Field(
        default=None, description="Address by which people reach the console, as https://…; needed beyond this machine"
    )
    insecure_http: bool = Field(
        default=False,
        description="Allow plain http in public_url, on an intranet: cookies without Secure, red banner",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1", description="Addresses whose X-Forwarded-* headers are believed, separated by commas"
    )
    body_limit: int = Field(
        default=128 * 1024 * 1024,
        ge=1024,
        description="Largest request the console takes, in bytes",
    )
    api_rate: int = Field(
        default=600, ge=1, description="Requests a minute that one token, session or address may send to the API"
    )
    file_folder: Path | None = Field(
        default=None, description="Folder of photographs and documents; default <data>/files"
    )
    file_bytes: int = Field(
        default=12 * 1024 * 1024, ge=1024, le=100 * 1024 * 1024, description="Largest picture taken, in bytes"
    )
    file_count: int = Field(default=9, ge=1, le=30, description="Most pictures sent with one act")
    file_pixels: int = Field(
        default=50_000_000, ge=1_000_000, le=200_000_000, description="Most pixels of a picture taken"
    )
    file_side: int = Field(
        default=1920, ge=480, le=8000, description="Longest side of a picture as it is kept, in pixels"
    )
    file_s3_bucket: str | None = Field(
        default=None, description="S3-compatible bucket for pictures instead of the folder; needs the extra s3"
    )
    file_s3_endpoint: str | None = Field(default=None, description="Address of the S3-compatible server, if not AWS")
    file_s3_region: str | None = Field(default=None, description="Region of the bucket")
    file_s3_prefix: str = Field(default="", max_length=200, description="What the names in the bucket begin with")
    file_s3_key: SecretStr | None = Field(default=None, description="Access key of the bucket")
    file_s3_secret: SecretStr | None = Field(default=None, description="Secret of the access key")
    retention_days: int = Field(
        default=730,
        ge=30,
        le=36_500,
        description="Days after its end that what a resident told, and the photographs, are kept; then destroyed",
    )
    courier: bool = Field(default=True, description="Whether this worker delivers notices")
    courier_poll: Span = Field(
        default=timedelta(seconds=5),
        ge=timedelta(milliseconds=50),
        description="How often the courier looks for notices of its own accord",
    )
    wake_after: Span = Field(
        default=timedelta(minutes=1),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=3),
        description="How long after a deadline a process that has said nothing is told to look",
    )
    smtp_url: SecretStr | None = Field(
        default=None, description="Mail server smtp[s]://user:password@host:port; without it no e-mail is sent"
    )
    smtp_from: str | None = Field(default=None, description="Sender of the e-mails")
    webhook_url: str | None = Field(default=None, description="Address that is told of every notice, signed")
    webhook_secret: SecretStr | None = Field(
        default=None, description="Secret of the webhook's signature, whsec_ and base64; two during a change"
    )
    webhook_private: bool = Field(default=False, description="Let the webhook reach private and loopback addresses")
    apprise_urls: SecretStr | None = Field(
        default=None, description="Addresses of other services for apprise, separated by commas or blanks"
    )

    password_profile: Literal["modern", "dengbao"] = Field(
        default="modern", description="What passwords must be like: modern, or dengbao (kinds of characters, 90 days)"
    )
    password_shortest: int = Field(default=10, ge=8, le=64, description="Least characters of a password")
    session_idle: Span = Field(
        default=timedelta(minutes=30),
        ge=timedelta(minutes=1),
        le=timedelta(hours=12),
        description="How long a session lives unused",
    )
    session_absolute: Span = Field(
        default=timedelta(hours=12),
        ge=timedelta(minutes=1),
        le=timedelta(hours=24),
        description="How long a session lives at most",
    )
    sign_confirmation: Literal["always", "doors", "never"] = Field(
        default="doors",
        description="Who must give the password again when signing a result: everybody, whoever signs at a page or by "
        "the API, or nobody",
    )
    separation: bool = Field(
        default=False,
        description="Keep administration in three hands: accounts and roles are the security administrator's alone",
    )
    security_log_days: int = Field(
        default=1096,
        ge=200,
        le=36_525,
        description="How many days the security log is kept; less than 200 is not possible",
    )
    oidc_issuer: str | None = Field(
        default=None, description="Address of the identity provider; without it there is none"
    )
    oidc_client_id: str | None = Field(default=None, description="Name of this system at the identity provider")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Secret of this system at the identity provider"
    )
    oidc_person_claim: str = Field(
        default="preferred_username", description="Claim of the identity provider that holds the person's code"
    )
    oidc_name: str = Field(
        default="统一身份认证", description="What the identity provider is called on the sign-in page"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over secret files."""
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @classmethod
    def load(cls, **given: Any) -> "Settings":
        """The settings of this process; ``given`` wins over the environment.

        Raises ``Refused('settings.invalid')`` naming the first wrong variable, or ``'settings.unreadable'`` for a
        secret file that cannot be read. The wrong value itself is never repeated: it may be a secret.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = PREFIX + "_".join(str(part) for part in first["loc"][:1]).upper()
            raise Refused("settings.invalid", field=name, name=name, reason=first["msg"]) from None
        except OSError as error:
            raise Refused("settings.unreadable", path=error.filename, reason=error.strerror) from error

    @property
    def key_file(self) -> Path:
        """Where the vault's master key lies."""
        return self.master_key_file or self.data / "master.key"

    @property
    def signing_file(self) -> Path:
        """Where the key lies that signs checkpoints."""
        return self.signing_key_file or self.data / "signing.key"

    @property
    def anchors(self) -> Path:
        """Where checkpoints are written, outside the database."""
        return self.anchor_file or self.data / "anchors.jsonl"


class SettingRow(NamedTuple):
    """One line of the configuration table."""

    variable: str
    default: str
    meaning: str


def settings_table() -> list[SettingRow]:
    """Every setting with its variable, default and meaning, in the order of declaration."""
    return [
        SettingRow(PREFIX + name.upper(), _shown(name, field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _shown(name: str, field: FieldInfo) -> str:
    if name == "data":
        return "~/.local/share/bihuan"
    default = field.default
    if isinstance(default, timedelta):
        return f"{default // timedelta(seconds=1)}s"
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def find_endpoints(settings: Settings) -> Endpoints:
    """Where PostgreSQL and Temporal are: from the settings where given, else from the instance on the data folder.

    Raises ``Refused``: ``instance.not_running`` when an address is neither given nor published by a living instance,
    ``settings.invalid`` as ``tls_of`` does.
    """
    url = settings.database_url.get_secret_value() if settings.database_url else None
    tls = tls_of(settings) if settings.temporal_address else None
    if url and settings.temporal_address:
        return Endpoints(
            pid=os.getpid(),
            postgres=url,
            temporal=settings.temporal_address,
            namespace=settings.temporal_namespace,
            tls=tls,
            started_at=datetime.now(UTC),
        )
    running = read_endpoints(settings.data)
    if running is None:
        raise Refused("instance.not_running", folder=settings.data)
    return running.model_copy(
        update={
            "postgres": url or running.postgres,
            "temporal": settings.temporal_address or running.temporal,
            "tls": tls,
        }
    )


def find_temporal(settings: Settings) -> tuple[str, str, TemporalTls | None]:
    """Address, namespace and protection of Temporal alone, for what needs no ledger. Raises as ``find_endpoints``."""
    if settings.temporal_address:
        return settings.temporal_address, settings.temporal_namespace, tls_of(settings)
    found = find_endpoints(settings)
    return found.temporal, found.namespace, found.tls


def tls_of(settings: Settings) -> TemporalTls | None:
    """How the connection to the Temporal server given by its address is protected; None means plain text.

    Raises ``Refused`` ``settings.invalid`` for half a certificate, and for certificates that plain text would leave
    unused: neither may end in a connection that protects less than was meant.
    """
    certificate, key = settings.temporal_tls_cert_file, settings.temporal_tls_key_file
    if settings.temporal_tls:
        if (certificate is None) != (key is None):
            raise _wrong(
                "temporal_tls_cert_file" if certificate is None else "temporal_tls_key_file", "certificate + key"
            )
        return TemporalTls(
            ca_file=settings.temporal_tls_ca_file,
            cert_file=certificate,
            key_file=key,
            name=settings.temporal_tls_name,
        )
    if any((settings.temporal_tls_ca_file, certificate, key, settings.temporal_tls_name)):
        raise _wrong("temporal_tls", "true")
    return None


def _wrong(name: str, reason: str) -> Refused:
    variable = PREFIX + name.upper()
    return Refused("settings.invalid", field=variable, name=variable, reason=reason)
