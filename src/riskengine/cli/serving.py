"""Commands of the service: serve, settings, the tables of the store."""

import ipaddress
import signal
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.table import Table

from riskengine.cli.app import app, console
from riskengine.errors import InputError
from riskengine.settings import Settings, told

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

store = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The serving store.")
app.add_typer(store, name="store")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
) -> None:
    """Serve quotes and recommendations over HTTP; the documentation is at /docs.

    Without keys it listens to this machine only, unless RISKENGINE_OPEN_TO_ALL says otherwise.
    """
    import uvicorn

    from riskengine.service.app import Outside, create_app, settle
    from riskengine.service.observed import log_json
    from riskengine.service.security import security_of
    from riskengine.service.source import RegisteredReleases
    from riskengine.store import Database

    settings = Settings()
    wanted = host or settings.host
    database = Database(settings.store)
    security = security_of(settings, database)
    protected = security.protected
    has_keys = protected is not None
    address = listening_address(wanted, secured=has_keys or settings.open_to_all)
    if address != wanted:
        console.print(
            f"No keys are configured: listening on {address} instead of {wanted}. Make them with"
            " `riskengine keys new`; where nobody else can reach this service, set"
            " RISKENGINE_OPEN_TO_ALL=true.",
            soft_wrap=True,
        )
    log_json(settings.log_level)
    outside = Outside(
        RegisteredReleases(settings),
        database,
        None if protected is None else protected.cipher,
        started=settle,
    )
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        application = create_app(outside, settings, security)
        if settings.telemetry:
            _trace(application)
        uvicorn.run(
            application,
            host=address,
            port=settings.port if port is None else port,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=settings.drain_seconds,
        )
    finally:
        signal.signal(signal.SIGTERM, before)
        database.close()


def _leave(*_: object) -> NoReturn:
    """End as asked: the server, once it has drained, raises the signal that stopped it again."""
    raise SystemExit(0)


def _trace(application: "FastAPI") -> None:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        trace_to(application, OTLPSpanExporter())
    except ImportError as error:
        message = f"RISKENGINE_TELEMETRY needs the extra `telemetry`: {error}"
        raise InputError(message) from error


def trace_to(application: "FastAPI", exporter: "SpanExporter") -> "TracerProvider":
    """Send a span of each request to an exporter, in batches; the provider can flush them."""
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "riskengine"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    FastAPIInstrumentor.instrument_app(application, tracer_provider=provider)
    return provider


def listening_address(host: str, *, secured: bool) -> str:
    """Where a service listens: only to its own machine as long as anybody could ask.

    >>> listening_address("0.0.0.0", secured=False), listening_address("::1", secured=False)
    ('127.0.0.1', '::1')
    """
    if secured or host == "localhost":
        return host
    try:
        return host if ipaddress.ip_address(host).is_loopback else "127.0.0.1"
    except ValueError:
        return "127.0.0.1"


@app.command("settings")
def list_settings() -> None:
    """Every setting with its value and where it comes from."""
    table = Table("setting", "value", "source")
    for one in told(Settings()):
        table.add_row(one.name, one.value, one.source)
    console.print(table)


@store.command()
def upgrade() -> None:
    """Bring the tables of the store (RISKENGINE_STORE) to this version; `serve` does so as well."""
    from riskengine.store import Database

    database = Database(Settings().store)
    try:
        console.print(f"The store is at version {database.version()}")
    finally:
        database.close()
