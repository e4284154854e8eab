"""Feedback over HTTP: what came of a quote or a decision, added and never changed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from pydantic_core import to_json

from riskengine.errors import ConflictError
from riskengine.service.body import dumped
from riskengine.service.keeping import Keeper
from riskengine.service.requests import FeedbackRequest
from riskengine.store import Feedback


@dataclass(frozen=True, eq=False)
class FeedbackDesk:
    """Keeps feedback; the quote or decision it names must be the client's."""

    keeper: Keeper
    now: Callable[[], datetime]

    async def keep(self, request: FeedbackRequest, client: str, key: str | None) -> bytes:
        """Its id, when it is durable; a key that is used again gives the first id."""
        if key is None:
            return await self._keep(request, client, None, None)
        digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        async with self.keeper.alone("feedback", client, key):
            earlier = await self.keeper.feedback_by_key(client, key, digest)
            if earlier is not None:
                return dumped({"feedback_id": earlier})
            try:
                return await self._keep(request, client, key, digest)
            except ConflictError:
                # Another process was told the same at the same time.
                earlier = await self.keeper.feedback_by_key(client, key, digest)
                if earlier is None:
                    raise
                return dumped({"feedback_id": earlier})

    async def _keep(
        self, request: FeedbackRequest, client: str, key: str | None, digest: str | None
    ) -> bytes:
        if request.quote_id is not None:
            await self.keeper.quote(request.quote_id, client)
        if request.decision_id is not None:
            await self.keeper.decision(request.decision_id, client)
        feedback_id = str(uuid4())
        one = Feedback(
            feedback_id, client, request.kind, request.quote_id, request.decision_id,
            request.occurred_at, self.now(), to_json(request.detail), key, digest,
        )  # fmt: skip
        await self.keeper.keep((one,))
        return dumped({"feedback_id": feedback_id})
