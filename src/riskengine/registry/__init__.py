"""The MLflow side: runs of training, registered models and releases, aliases.

Nothing else imports mlflow, but for the scripts of `pyfunc` that MLflow itself runs.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from riskengine.any_release import AnyRelease, read_release, write_release
from riskengine.registry.connection import connect
from riskengine.registry.models import (
    Registered,
    decisions,
    fetch_model,
    keep_decision,
    move_alias,
    registered,
    under_alias,
)
from riskengine.registry.releases import (
    Moved,
    check_not_revoked,
    find_release,
    load_registered,
    named_releases,
    promote_release,
    register_release,
    release_folder,
    release_rows,
    revoke_release,
)
from riskengine.registry.runs import TrainingRun, log_job, log_training

__all__ = [
    "AnyRelease",
    "Moved",
    "Registered",
    "TrainingRun",
    "check_not_revoked",
    "connect",
    "decisions",
    "fetch_model",
    "find_release",
    "keep_decision",
    "load_registered",
    "log_job",
    "log_training",
    "move_alias",
    "named_releases",
    "promote_release",
    "read_release",
    "register_release",
    "registered",
    "release_folder",
    "release_rows",
    "revoke_release",
    "under_alias",
    "write_release",
]
