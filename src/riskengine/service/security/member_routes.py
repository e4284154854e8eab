"""What members may ask of an insurer: consent and its withdrawal, all their data, erasure."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import Field

from riskengine.security.consents import Consent, ConsentPurpose
from riskengine.security.member_rows import erase_member, export_member
from riskengine.security.scopes import Caller, Scope
from riskengine.service.problems import documented
from riskengine.service.requests import Message, Named
from riskengine.service.security.access import caller, protected_in, record, security_in


class ConsentRequest(Message):
    """Consent to a purpose given, or with `given` false withdrawn; `wording` names its text."""

    purpose: ConsentPurpose
    given: bool = Field(strict=True)
    wording: Named = Field(max_length=64, description="Version of the text shown.")


class ConsentMessage(ConsentRequest):
    recorded_by: str
    recorded_at: datetime


class ConsentsResponse(Message):
    """`standing` has the last record of each purpose, `history` all of them, the oldest first."""

    member_id: str
    standing: tuple[ConsentMessage, ...]
    history: tuple[ConsentMessage, ...]


class ErasureResponse(Message):
    """How many rows were erased, or freed of the member, by where they were stored."""

    member_id: str
    erased: dict[str, int]


class ExportResponse(Message):
    """All that is stored of a member, by where it is stored."""

    member_id: str
    data: dict[str, list[dict[str, Any]]]


_FAULTS = documented(403, 422, 503)
_Consents = Annotated[Caller, Depends(caller(Scope.CONSENTS))]
_Profiles = Annotated[Caller, Depends(caller(Scope.PROFILES))]
_Erase = Annotated[Caller, Depends(caller(Scope.MEMBERS_ERASE))]


def add_member_routes(app: FastAPI) -> None:
    """Consents, export and erasure, to a service with keys."""
    _add_consents(app)
    _add_rights(app)


def _add_consents(app: FastAPI) -> None:
    @app.post(
        "/v1/members/{member_id:path}/consents",
        tags=["members"],
        status_code=201,
        responses=_FAULTS,
    )
    async def record_consent(
        member_id: Named, request: ConsentRequest, who: _Consents
    ) -> ConsentMessage:
        """Record that a member agreed to a purpose, or withdrew."""
        at = security_in(app).clock().isoformat(timespec="seconds")
        consent = Consent(request.purpose, request.given, request.wording, who.client, at)
        await asyncio.to_thread(protected_in(app).consents.record, member_id, consent)
        action = "consent.given" if request.given else "consent.withdrawn"
        await record(app, who, f"{action}.{request.purpose}", member_id, vars(consent))
        return _consent(consent)

    @app.get("/v1/members/{member_id:path}/consents", tags=["members"], responses=_FAULTS)
    async def consents(member_id: Named, _: _Consents) -> ConsentsResponse:
        """What a member has agreed to, and every record of it."""
        history = await asyncio.to_thread(protected_in(app).consents.history, member_id)
        standing = {consent.purpose: consent for consent in history}
        return ConsentsResponse(
            member_id=member_id,
            standing=tuple(map(_consent, standing.values())),
            history=tuple(map(_consent, history)),
        )


def _add_rights(app: FastAPI) -> None:
    @app.get("/v1/members/{member_id:path}/export", tags=["members"], responses=_FAULTS)
    async def export(member_id: Named, who: _Profiles) -> ExportResponse:
        """All that is stored of a member, as JSON, for the member to have."""
        protected = protected_in(app)
        await record(app, who, "member.exported", member_id)
        data = await asyncio.to_thread(
            export_member, protected.database, protected.holdings, member_id
        )
        return ExportResponse(member_id=member_id, data=data)

    @app.delete("/v1/members/{member_id:path}", tags=["members"], responses=_FAULTS)
    async def erase(member_id: Named, who: _Erase) -> ErasureResponse:
        """Erase a member: profile, answers in stored quotes, texts of feedback.

        Amounts, dates and hashes that must be kept by law stay, without the member.
        """
        protected = protected_in(app)
        # Before and after, so that neither an erasure nor an attempt can be without a record.
        await record(app, who, "member.erasure.asked", member_id)
        erased = await asyncio.to_thread(
            erase_member, protected.database, protected.holdings, member_id
        )
        await record(app, who, "member.erased", member_id, dict(erased))
        return ErasureResponse(member_id=member_id, erased=erased)


def _consent(consent: Consent) -> ConsentMessage:
    return ConsentMessage(
        purpose=consent.purpose,
        given=consent.given,
        wording=consent.wording,
        recorded_by=consent.recorded_by,
        recorded_at=datetime.fromisoformat(consent.recorded_at),
    )
