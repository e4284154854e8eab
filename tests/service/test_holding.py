"""Champions swapped under load, a challenger in the shadow, a registry that goes away."""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from riskengine.errors import ReleaseError
from riskengine.release import Release, build_release
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases, Holder, Named
from riskengine.service.requests import EXAMPLE_ANSWERS
from riskengine.settings import Settings
from riskengine.store import Database
from tests.service.running import NOW

BODY = {"answers": EXAMPLE_ANSWERS, "as_of": "2026-01-01"}


class Registry(FixedReleases):
    """Fixed releases that may be away, or broken."""

    away = False
    broken = False

    def named(self) -> Mapping[str, Named]:
        if self.away:
            message = "the registry is away"
            raise ReleaseError(message)
        return super().named()

    def release(self, digest: str) -> Release:  # type: ignore[override]
        if self.broken:
            message = f"release {digest[:8]} was changed"
            raise ReleaseError(message)
        return super().release(digest)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def dearer(release: Release) -> Release:
    """The same release with a tenth more cost."""
    model = replace(
        release.medical_spend, balance_factor=release.medical_spend.balance_factor * 1.1
    )
    return build_release(
        model,
        release.utilisation,
        release.catalogue,
        release.rate_book,
        release.ranking_policy,
        release.perils,
    )


def test_a_swap_under_load_fails_no_request(
    release: Release, dearer: Release, tmp_path: Path
) -> None:
    registry = Registry.of(release)
    database = Database(f"sqlite:///{tmp_path}/store.db")
    app = create_app(Outside(registry, database, now=lambda: NOW), Settings(poll_seconds=0.05))

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        answers: list[httpx.Response] = []

        async def ask(client: httpx.AsyncClient) -> None:
            while len({one.json()["release"] for one in answers[-8:]} - {release.hash}) != 1:
                answers.append(await client.post("/v1/quotes", json=BODY))

        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            answers.append(await client.post("/v1/quotes", json=BODY))
            asking = [asyncio.create_task(ask(client)) for _ in range(4)]
            await asyncio.sleep(0.1)
            registry.champions["study"] = dearer
            await asyncio.wait_for(asyncio.gather(*asking), 10)
        return answers

    answers = asyncio.run(run())
    assert {answer.status_code for answer in answers} == {200}
    premium = {
        (told["release"], told["offers"][0]["offered_premium"])
        for told in (answer.json() for answer in answers)
    }
    assert {one for one, _ in premium} == {release.hash, dearer.hash}
    assert len(premium) == 2, "each release has one price, whenever it was asked"
    database.close()


def test_what_is_held_stays_while_the_registry_is_away(release: Release, dearer: Release) -> None:
    registry = Registry.of(release)
    holder = Holder(registry)
    with pytest.raises(ReleaseError, match="the release is being loaded"):
        holder.of(None)
    holder.refresh()
    assert (holder.of("study").champion.hash, holder.trouble) == (release.hash, None)
    registry.away = True
    holder.refresh()
    assert (holder.of(None).champion.hash, holder.trouble) == (release.hash, "the registry is away")
    registry.away, registry.broken = False, True
    registry.champions["study"] = dearer
    holder.refresh()
    assert holder.of(None).champion is release
    assert holder.trouble == f"release {dearer.hash[:8]} was changed"
    registry.broken = False
    holder.refresh()
    assert (holder.of(None).champion.hash, holder.trouble) == (dearer.hash, None)


def test_a_challenger_prices_its_share_and_the_differences_are_kept(
    release: Release, dearer: Release, tmp_path: Path
) -> None:
    registry = Registry.of(release)
    registry.challengers["study"] = dearer
    database = Database(f"sqlite:///{tmp_path}/store.db")
    outside = Outside(registry, database, now=lambda: NOW)
    with TestClient(create_app(outside, Settings(shadow_share=1))) as client:
        quote = client.post("/v1/quotes", json=BODY).json()
        batch = {"members": [{"answers": BODY["answers"]}]}
        (row,) = client.post("/v1/quotes/batch", json=batch).json()["results"]
        roles = [(r["role"], r["release"]) for r in client.get("/v1/releases").json()["releases"]]
    assert roles == [("champion", release.hash), ("challenger", dearer.hash)]
    with TestClient(create_app(outside, Settings(shadow_share=0))) as client:
        client.post("/v1/quotes", json=BODY)
    with sqlite3.connect(tmp_path / "store.db") as there:
        rows = there.execute(
            "select quote_id, champion, challenger, plan, champion_cents, challenger_cents,"
            " problem from shadow_prices"
        ).fetchall()
    there.close()
    quoted = (quote["quote_id"], row["quote"]["quote_id"])
    assert {one[:3] for one in rows} == {(name, release.hash, dearer.hash) for name in quoted}
    assert {row[3]: row[4] for row in rows} == {
        offer["plan"]: round(float(offer["offered_premium"]) * 100) for offer in quote["offers"]
    }
    assert all(row[5] > row[4] and row[6] is None for row in rows)
    database.close()
