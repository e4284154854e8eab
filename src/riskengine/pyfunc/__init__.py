"""The scripts that MLflow keeps and runs to load what was registered: a release, a risk model."""
