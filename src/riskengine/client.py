"""A client of the service: typed requests, answers as dictionaries, problems as exceptions.

Thin on purpose: prices are made by the service alone. What can be sent twice without harm (all that
only tells, and what has an `idempotency_key`) is sent again where the service is away or says to
wait; tokens are fetched with a client's credentials and renewed before they end.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote as percent_encoded

import httpx2 as httpx

from riskengine.errors import InputError, RiskEngineError
from riskengine.vocabulary import Answer

Answers = Mapping[str, Answer]
_TEN_SECONDS = 10.0
_WAITING = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
_LONGEST_WAIT = 30.0
_EARLY = 30.0
"""Seconds before its end at which a token is renewed."""
_TELLING = ("/v1/prices", "/v1/recommendations", "/v1/bundle")
"""What is posted and does no harm twice: a decision that nobody was shown is of no weight."""


@dataclass(frozen=True)
class Fault:
    """One value that the service refused, and what is allowed."""

    field: str
    value: str
    message: str


class ServiceError(RiskEngineError):
    """The service refused a request, or cannot answer now: its RFC 9457 problem.

    `retry_after` is when to try again, in seconds, where the service says so.
    """

    def __init__(
        self, status: int, detail: str, faults: Sequence[Fault] = (), retry_after: int | None = None
    ) -> None:
        self.status, self.detail = status, detail
        self.faults, self.retry_after = tuple(faults), retry_after
        told = "; ".join(f"{one.field}={one.value}: {one.message}" for one in faults)
        super().__init__(f"{status}: {detail}" + (f" ({told})" if told else ""))


@dataclass(frozen=True)
class Ask:
    """What to quote: one member by `answers` or `member_id`, or a household as `members`.

    `wish` and `monthly_budget` are of recommendations and bundles.
    """

    answers: Answers = field(default_factory=dict)
    member_id: str | None = None
    members: Sequence[Answers] = ()
    market: str | None = None
    as_of: date | None = None
    plans: Sequence[str] = ()
    payments: int | None = None
    wish: Mapping[str, Any] = field(default_factory=dict)
    monthly_budget: float | None = None

    def body(self) -> dict[str, Any]:
        """As it travels; what was not given is left out."""
        found: dict[str, Any] = {
            "answers": dict(self.answers),
            "member_id": self.member_id,
            "members": [{"answers": dict(one)} for one in self.members],
            "market": self.market,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "plans": list(self.plans),
            "payments": self.payments,
            "wish": dict(self.wish),
            "monthly_budget": self.monthly_budget,
        }
        return {name: value for name, value in found.items() if value not in (None, [], {})}


class ClientCredentials(httpx.Auth):
    """The OAuth2 token of a client, fetched at the first request and whenever it ends.

    `otp` gives the one-time code of a person at each fetch. Raises `ServiceError` where the service
    gives no token.
    """

    requires_response_body = True

    def __init__(
        self, client_id: str, client_secret: str, otp: Callable[[], str] | None = None
    ) -> None:
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._otp, self._token, self._until = otp, "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with a token, and once more with a new one where it was refused."""
        if time.monotonic() >= self._until:
            yield from self._fetch(request)
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            yield from self._fetch(request)
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _fetch(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        form = self._form | ({} if self._otp is None else {"otp": self._otp()})
        answer = yield httpx.Request("POST", request.url.join("/oauth/token"), data=form)
        if not answer.is_success:
            raise _error(answer)
        told = answer.json()
        self._token = str(told["access_token"])
        self._until = time.monotonic() + float(told["expires_in"]) - _EARLY


class Client:
    """The service at `url`; `transport` is for tests and proxies. Close it, or use `with`.

    `credentials` sign in where the service asks for tokens. A request that can be sent again is, up
    to `tries` times. Every method raises `ServiceError`; `httpx2` errors tell of a service that is
    not there.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = _TEN_SECONDS,
        transport: httpx.BaseTransport | None = None,
        *,
        credentials: ClientCredentials | None = None,
        tries: int = 3,
    ) -> None:
        self._tries = tries
        self._http = httpx.Client(
            base_url=url,
            headers=dict(headers or {}),
            timeout=timeout,
            transport=transport,
            auth=credentials,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def quote(self, ask: Ask, idempotency_key: str | None = None) -> dict[str, Any]:
        """A quote that is kept."""
        return self._send("POST", "/v1/quotes", ask.body(), idempotency_key)

    def prices(self, ask: Ask) -> dict[str, Any]:
        """Prices that nobody keeps."""
        return self._send("POST", "/v1/prices", ask.body())

    def quote_each(
        self, members: Sequence[Answers], ask: Ask | None = None
    ) -> list[dict[str, Any]]:
        """Each member quoted alone, up to a thousand; a row has `quote` or `problem`."""
        body = (ask or Ask()).body() | {"members": [{"answers": dict(one)} for one in members]}
        rows: list[dict[str, Any]] = self._send("POST", "/v1/quotes/batch", body)["results"]
        return rows

    def stored(self, quote_id: str) -> dict[str, Any]:
        """A quote that was kept, and what has become of it."""
        return self._send("GET", f"/v1/quotes/{_quoted(quote_id)}")

    def accept(self, quote_id: str, plan: str) -> dict[str, Any]:
        """Accept a plan of a quote."""
        return self._send("POST", f"/v1/quotes/{_quoted(quote_id)}/accept", {"plan": plan})

    def recommend(self, ask: Ask, *, store: bool = True) -> dict[str, Any]:
        """Plans ranked for a member or a household, with reasons; kept for feedback to refer to."""
        path = "/v1/recommendations" + ("" if store else "?store=false")
        return self._send("POST", path, ask.body())

    def decision(self, decision_id: str) -> dict[str, Any]:
        """A recommendation that was kept, as it was answered."""
        return self._send("GET", f"/v1/recommendations/{_quoted(decision_id)}")

    def bundle(self, ask: Ask) -> dict[str, Any]:
        """The plans of most net worth together within `ask.monthly_budget`, and what 50 more buy.

        Of markets; the study's plans cover the same.
        """
        return self._send("POST", "/v1/bundle", ask.body())

    def products(self, market: str | None = None) -> dict[str, Any]:
        """The plans of a market with their texts, and its questions."""
        return self._send("GET", "/v1/products", market=market)

    def releases(self) -> list[dict[str, Any]]:
        """The releases that price, and those in the shadow."""
        rows: list[dict[str, Any]] = self._send("GET", "/v1/releases")["releases"]
        return rows

    def profile(self, member_id: str) -> dict[str, Any]:
        """The latest published profile of a member."""
        return self._send("GET", f"/v1/members/{_quoted(member_id)}/profile")

    def feedback(
        self,
        told: Mapping[str, Any],
        of: Mapping[str, str],
        occurred_at: datetime,
        idempotency_key: str | None = None,
    ) -> str:
        """Tell what came of a quote or a decision; the id under which that is kept.

        `told` says what, such as {"kind": "bind", "plan": "surgery_10k"}; `of` is {"quote_id": ...}
        or {"decision_id": ...}; `occurred_at` has a time zone.
        """
        body = {**told, **of, "occurred_at": occurred_at.isoformat()}
        return str(self._send("POST", "/v1/feedback", body, idempotency_key)["feedback_id"])

    def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        key: str | None = None,
        market: str | None = None,
    ) -> dict[str, Any]:
        headers = {} if key is None else {"Idempotency-Key": key}
        params = None if market is None else {"market": market}
        request = self._http.build_request(
            method, path, json=body if method == "POST" else None, headers=headers, params=params
        )
        again = method == "GET" or key is not None or path.partition("?")[0] in _TELLING
        answer = self._answer(request, self._tries if again else 1)
        if not answer.is_success:
            raise _error(answer)
        told: dict[str, Any] = answer.json()
        return told

    def _answer(self, request: httpx.Request, tries: int) -> httpx.Response:
        """The answer to a request, sent again while the service is away or asks to wait."""
        for left in reversed(range(tries)):
            wait = 0.2 * 2.0 ** (tries - left)
            try:
                answer = self._http.send(request)
            except httpx.TransportError:
                if not left:
                    raise
            except ServiceError as error:
                # There was no token to send it with.
                if not left or error.status not in _WAITING:
                    raise
                wait = wait if error.retry_after is None else error.retry_after
            else:
                asked = answer.headers.get("retry-after", "")
                if not left or answer.status_code not in _WAITING:
                    return answer
                wait = float(asked) if asked.isdigit() else wait
            time.sleep(min(wait, _LONGEST_WAIT))
        message = f"a client needs one try or more, not {self._tries}"
        raise InputError(message)


def _quoted(name: str) -> str:
    return percent_encoded(name, safe="")


def _error(answer: httpx.Response) -> ServiceError:
    try:
        told = answer.json()
        faults = [Fault(**one) for one in told["errors"]]
        detail = str(told["detail"])
    except (ValueError, KeyError, TypeError):
        # Not ours: a proxy between us and the service answered.
        faults, detail = [], answer.text[:200]
    wait = answer.headers.get("retry-after", "")
    return ServiceError(answer.status_code, detail, faults, int(wait) if wait.isdigit() else None)
