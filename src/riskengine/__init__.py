"""riskengine: personalised product recommendation and risk pricing for health insurers."""

import warnings

__version__ = "0.1.0"

# Where PySpark is installed pandera imports it, and it warns of every pandas from 3 on.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
