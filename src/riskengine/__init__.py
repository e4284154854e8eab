"""riskengine: personalised product recommendation and risk pricing for health insurers."""

__version__ = "0.1.0"
