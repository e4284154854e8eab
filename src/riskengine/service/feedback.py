"""Feedback over HTTP: what came of a quote or a decision, added and never changed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import orjson

from riskengine.errors import ConflictError, InputError
from riskengine.service.body import dumped
from riskengine.service.feedback_contracts import AnyFeedback
from riskengine.service.keeping import Keeper
from riskengine.service.quoting import premiums
from riskengine.store import Feedback, StoredDecision, new_id


@dataclass(frozen=True, eq=False)
class FeedbackDesk:
    """Keeps feedback; the quote or decision it names must be the client's."""

    keeper: Keeper
    now: Callable[[], datetime]

    async def keep(self, request: AnyFeedback, client: str, key: str | None) -> bytes:
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
        self, request: AnyFeedback, client: str, key: str | None, digest: str | None
    ) -> bytes:
        await self._check_plans(request, client)
        if request.corrects is not None:
            of = (request.quote_id, request.decision_id)
            await self.keeper.check_feedback(request.corrects, client, of)
        at = self.now()
        one = Feedback(
            new_id(at), client, request.kind, request.quote_id, request.decision_id,
            request.occurred_at, at, dumped(request), key, digest,
        )  # fmt: skip
        await self.keeper.keep((one,))
        return dumped({"feedback_id": one.feedback_id})

    async def _check_plans(self, request: AnyFeedback, client: str) -> None:
        """Raise `InputError` for a plan that the quote or the decision does not know."""
        if request.quote_id is not None:
            quote = await self.keeper.quote(request.quote_id, client)
            name, known = f"quote {quote.quote_id}", set(premiums(orjson.loads(quote.body)))
        else:
            assert request.decision_id is not None
            decision = await self.keeper.decision(request.decision_id, client)
            name, known = f"decision {decision.decision_id}", _judged(decision)
        unknown = [plan for plan in request.plans if plan not in known]
        if unknown:
            message = f"{name} has no plan {unknown[0]!r}; it has {', '.join(sorted(known))}"
            raise InputError(message)


def _judged(decision: StoredDecision) -> set[str]:
    """The plans that a decision judged, offered or not."""
    if decision.record is not None:
        return {one["plan"] for one in orjson.loads(decision.record)["candidates"]}
    body = orjson.loads(decision.body)
    return {one["plan"] for one in (*body["items"], *body["not_offered"])}
