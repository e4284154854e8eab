"""The sales desk: a page over the same API that everybody calls. It knows no price of its own.

Its files are served as they are, to anybody, for they hold nothing of a member; what the page asks
for needs the token that any client needs. `words.json` has the titles of premium steps.
"""

from collections.abc import Callable, Coroutine
from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import Response

from riskengine.reporting.step_names import STEP_TITLES
from riskengine.service.body import dumped

PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/desk/desk.css": ("desk.css", "text/css; charset=utf-8"),
    "/desk/desk.js": ("desk.js", "text/javascript; charset=utf-8"),
    "/desk/pictures.js": ("pictures.js", "text/javascript; charset=utf-8"),
    "/desk/words.js": ("words.js", "text/javascript; charset=utf-8"),
}
WORDS = "/desk/words.json"
DESK_PATHS = frozenset({*PAGES, WORDS})


def add_desk(app: FastAPI) -> None:
    """Add the page and its files."""
    contents = {WORDS: (dumped(STEP_TITLES), "application/json")}
    for path, (name, kind) in PAGES.items():
        contents[path] = (files(__name__).joinpath(name).read_bytes(), kind)
    for path, (content, kind) in contents.items():
        app.add_api_route(path, _told(content, kind), include_in_schema=False)


def _told(content: bytes, kind: str) -> Callable[[], Coroutine[None, None, Response]]:
    async def told() -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return told
