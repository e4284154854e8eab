"""Where things are: the one place that reads the environment (`RISKENGINE_*`).

Business values do not belong here; they are in rate books, policies and model specs. How long a
quote is valid is a promise of the seller, not a price.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_PREFIX = "RISKENGINE_"


class Settings(BaseSettings):
    """Settings of the front doors, built once at the edge and passed in."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid")

    tracking_uri: str = "sqlite:///mlruns/mlflow.db"
    artifacts: str = "mlruns/artifacts"
    experiment: str = "riskengine"
    registered_name: str = "riskengine"
    alias: str = "champion"
    challenger_alias: str = "challenger"
    store: str = "sqlite:///riskengine.db"
    memory_limit: str = ""
    models: str = "models"
    scorer: Literal["fast", "reference"] = "fast"
    """Who evaluates trees; `reference` is LightGBM, slower and the same to the last bit."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    open_to_all: bool = False
    """Listen beyond this machine without keys: for a network that lets nobody else in."""
    markets: Annotated[tuple[str, ...], NoDecode] = ()
    """Markets to serve, the first one the default; all that are registered where empty."""
    quote_validity_days: int = Field(default=30, ge=1, le=3650)
    poll_seconds: float = Field(default=15.0, gt=0)
    """How often the registry is asked for a new champion or challenger."""
    shadow_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the quotes that a challenger prices in the shadow."""
    explores: bool = False
    """Draw the order of recommendations inside the top band, never in advice, to learn from it."""
    store_queue: int = Field(default=10_000, ge=1)
    """How many records may wait for the store before requests are refused."""
    drain_seconds: int = Field(default=30, ge=1)
    """How long requests in flight may take to end when the service is stopped."""
    telemetry: bool = False
    """Send traces by OTLP as OTEL_* say; needs the extra `telemetry`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    keys: Path | None = None
    """The file of the key ring, or in `keys_json` its content; with neither there are no tokens."""
    keys_json: SecretStr | None = None
    audit_anchors: Path = Path("audit-anchors.txt")
    issuer: str = "riskengine"
    token_minutes: int = Field(default=15, ge=1, le=1_440)
    request_bytes: int = Field(default=1_048_576, ge=1)
    batch_items: int = Field(default=1_000, ge=1)
    requests_per_second: float = Field(default=100.0, gt=0)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("markets", "cors_origins", mode="before")
    @classmethod
    def by_comma(cls, value: object) -> object:
        """`study,cn` names two markets."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value


@dataclass(frozen=True)
class Setting:
    """One setting as it is in force, and where it comes from."""

    name: str
    value: str
    source: str


def told(settings: Settings) -> list[Setting]:
    """Every setting with its value and source; a password in a URL is not told."""
    return [
        Setting(
            f"{_PREFIX}{name.upper()}",
            _shown(getattr(settings, name)),
            "environment" if name in settings.model_fields_set else "default",
        )
        for name in Settings.model_fields
    ]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    text = str(value)
    scheme, mark, rest = text.partition("://")
    there, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{there.partition(':')[0]}:***@{place}" if at and ":" in there else text
