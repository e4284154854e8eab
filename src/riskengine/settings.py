"""Where things are: the one place that reads the environment (`RISKENGINE_*`).

Business values do not belong here; they are in rate books, policies and model specs.
"""

from pydantic import Field
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
