"""Security of the HTTP front door; `install_security` is all that an application calls."""

from riskengine.service.security.access import (
    caller,
    caller_of,
    record,
    require_batch,
    routes_without_scope,
    use_stored_profile,
)
from riskengine.service.security.install import install_security
from riskengine.service.security.middleware import BODY
from riskengine.service.security.security import (
    Limits,
    Protected,
    Security,
    sealer_of,
    security_of,
    security_without_keys,
)

__all__ = [
    "BODY", "Limits", "Protected", "Security", "caller", "caller_of", "install_security", "record",
    "require_batch", "routes_without_scope", "sealer_of", "security_of", "security_without_keys",
    "use_stored_profile",
]  # fmt: skip
