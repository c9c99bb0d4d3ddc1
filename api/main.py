"""The factory of the HTTP process: `granian --factory api.main:create_app --interface asgi`."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool

from api import (
    apps,
    attributes,
    credential_standing,
    credentials,
    dead_letters,
    deliveries,
    device_hygiene,
    device_lookup,
    devices,
    health,
    identity,
    keys,
    kill_switches,
    lists,
    merges,
    message_control,
    message_forecast,
    message_preview,
    messages,
    people,
    person_consents,
    person_events,
    person_history,
    person_messages,
    segment_answers,
    segment_export,
    segment_watches,
    segments,
    stats,
    suppressions,
)
from api.context import Services, close_services, open_services
from api.docs_pages import add_docs_pages
from api.edge import Edge
from api.garbage import settle
from api.gzip_answers import Packing
from api.imports import routes as imports
from api.ingest import device_routes, event_routes, receipt_routes
from api.ingest.hot_doors import HotDoors
from api.methods import Methods, places_of
from api.module_names import chosen_modules
from api.openapi import DescribedApp
from api.problems import install_handlers
from core.settings import read_settings
from core.telemetry import configure_logging

MODULES: Mapping[str, APIRouter] = MappingProxyType(
    {
        "apps": apps.router,
        "credentials": credentials.router,
        "credential_standing": credential_standing.router,
        "keys": keys.router,
        "kill_switches": kill_switches.router,
        "messages": messages.router,
        "message_control": message_control.router,
        "message_forecast": message_forecast.router,
        "message_preview": message_preview.router,
        "device_hygiene": device_hygiene.router,
        "registrations": device_routes.router,
        "devices": devices.router,
        "events": event_routes.router,
        "receipts": receipt_routes.router,
        "imports": imports.router,
        "device_lookup": device_lookup.router,
        "deliveries": deliveries.router,
        "dead_letters": dead_letters.router,
        "stats": stats.router,
        "attributes": attributes.router,
        "segments": segments.router,
        "segment_answers": segment_answers.router,
        "segment_export": segment_export.router,
        "segment_watches": segment_watches.router,
        "suppressions": suppressions.router,
        "lists": lists.router,
        "identity": identity.router,
        "merges": merges.router,
        "person_messages": person_messages.router,
        "person_events": person_events.router,
        "person_history": person_history.router,
        "person_consents": person_consents.router,
        "people": people.router,
    }
)
_PACKED_FROM_BYTES = 1_000
_Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
_DESCRIPTION = """Push notifications through FCM and APNs.

Press **Authorize** and paste the key that `./carillon app create NAME` printed.
Every error is a problem document (RFC 9457) with a stable `code`.
Every POST that creates or sends takes an `Idempotency-Key` header.
Texts hold no U+0000, numbers fit 64 bits, and nothing is nested deeper than 24 levels.
Bodies may be packed with gzip, both ways.
"""


def create_app() -> FastAPI:
    """Return the application of this process, from the settings of its environment."""
    settings = read_settings()
    configure_logging(settings.log_level)
    app = build_app(open_services(settings))
    settle()
    return app


def build_app(services: Services) -> FastAPI:
    """Return the application over `services`, which it closes when it stops."""

    @asynccontextmanager
    async def closing(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(close_services, services)

    app = assemble(services.settings.api_modules, closing)
    app.state.services = services
    app.add_middleware(Methods, places=places_of(app.described))
    app.add_middleware(Packing, minimum_size=_PACKED_FROM_BYTES)
    app.add_middleware(HotDoors, routers=app.described, owner=app)
    # The last one added is the outermost.
    app.add_middleware(Edge)
    install_handlers(app)
    add_docs_pages(app)
    return app


def assemble(modules: str = "all", lifespan: _Lifespan | None = None) -> DescribedApp:
    """Return the bare application: routes and their description, without any service."""
    app = DescribedApp(
        title="Carillon",
        version="0.1.0",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.described = [health.router, *(MODULES[name] for name in chosen_modules(modules))]
    for router in app.described:
        app.include_router(router)
    return app
