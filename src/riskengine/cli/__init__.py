"""The command line: each command is a thin call, every mistake is one line and exit code 2."""

from riskengine.cli import (  # noqa: F401  registers their commands
    data,
    evaluate,
    labels,
    models,
    prices,
    profiles,
    quotes,
    releases,
    reprice,
    security,
    serving,
)
from riskengine.cli.app import run as main

__all__ = ["main"]
