"""How an application hands an image to LangGraph's server and fetches one: two routes beside the server's own.

`POST /images` with a file's bytes as the body (PNG, JPEG, TIFF, BMP, WebP, DICOM, NIfTI) puts the image into the store
and answers `{"id": ..., "width": ..., "height": ...}`; a run is then given that id, so threads and checkpoints never
hold pixels. `?spacing=ROW,COL` gives mm from pixel to pixel where the file does not. `GET /images/ID` answers the image
as a PNG as the policy is shown it: what was uploaded, or a sub-image that an answer cites. Of a DICOM file only what
an image needs is read, never who the patient is. Research use only, not a medical device.
"""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphs.server.factories import application
from graphs.telling import NOTICE
from tools.errors import ImageError
from tools.images.load import load_image

LARGEST = 512 * 2**20
"""Bytes of one upload."""


async def upload(request: Request) -> Response:
    """Puts an image into the store."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > LARGEST:
            return _refused(413, f"Got more than {LARGEST} bytes, expected the file of one image.")
    try:
        spacing = _spacing(request.query_params.get("spacing"))
        return JSONResponse(await asyncio.to_thread(_put, bytes(data), spacing), status_code=201)
    except (ImageError, ValueError) as error:
        return _refused(400, str(error))


async def show(request: Request) -> Response:
    """An image of the store as PNG."""
    try:
        shown = await asyncio.to_thread(_png, str(request.path_params["image"]))
    except ImageError as error:
        return _refused(404, str(error))
    return Response(shown, media_type="image/png", headers={"X-Notice": NOTICE})


def _put(data: bytes, spacing: tuple[float, float] | None) -> dict[str, object]:
    image = load_image(data, spacing)
    return {"id": application().store.put(image), "width": image.width, "height": image.height, "notice": NOTICE}


def _png(image: str) -> bytes:
    file = io.BytesIO()
    application().store.get(image).display().save(file, "PNG")
    return file.getvalue()


def _spacing(given: str | None) -> tuple[float, float] | None:
    if given is None:
        return None
    row, comma, column = given.partition(",")
    if not comma:
        raise ValueError(f"Got spacing={given!r}, expected ROW,COL in mm.")
    return float(row), float(column)


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"detail": why}, status_code=status)


@asynccontextmanager
async def ready(_: Starlette) -> AsyncGenerator[None]:
    """Loads what every graph needs before the server answers: the first run would wait ten seconds for it."""
    await asyncio.to_thread(lambda: application().encoder)
    yield


app = Starlette(
    routes=[Route("/images", upload, methods=["POST"]), Route("/images/{image}", show, methods=["GET"])], lifespan=ready
)
