"""Where things are: the one place that reads the environment (`RISKENGINE_*`).

Business values do not belong here; they are in rate books, policies and model specs.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of the front doors, built once at the edge and passed in."""

    model_config = SettingsConfigDict(env_prefix="RISKENGINE_", frozen=True, extra="forbid")

    tracking_uri: str = "sqlite:///mlruns/mlflow.db"
    artifacts: str = "mlruns/artifacts"
    experiment: str = "riskengine"
    registered_name: str = "riskengine"
    alias: str = "champion"
    store: str = "sqlite:///riskengine.db"
    memory_limit: str = ""
    models: str = "models"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)

    keys: Path | None = None
    keys_json: SecretStr | None = None
    audit_anchors: Path = Path("audit-anchors.txt")
    issuer: str = "riskengine"
    token_minutes: int = Field(default=15, ge=1, le=1_440)
    request_bytes: int = Field(default=1_048_576, ge=1)
    batch_items: int = Field(default=1_000, ge=1)
    requests_per_second: float = Field(default=100.0, gt=0)
    cors_origins: tuple[str, ...] = ()
