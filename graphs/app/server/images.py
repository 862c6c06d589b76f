"""How an application hands an image to LangGraph's server and fetches one: two routes beside the server's own.

`POST /images` with a file's bytes as the body (PNG, JPEG, TIFF, BMP, WebP, DICOM, NIfTI) and its content type puts the
image into the store and answers `{"id": ..., "width": ..., "height": ...}`; a run is then given that id, so threads and
checkpoints never hold pixels. `?spacing=ROW,COL` gives mm from pixel to pixel where the file does not. `GET /images/ID`
answers the image as a PNG as the policy is shown it: what was uploaded, or a sub-image that an answer cites. Of a DICOM
file only what an image needs is read, never who the patient is. Research use only, not a medical device.

A small file may hold a large image, and many may come at once. So an upload may hold `MEDVISTA_UPLOAD_MB` (256: a CT of
500 slices) once it is unpacked, some arrive at a time, and one is decoded at a time: others wait.
"""

import asyncio
import io
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphs.app.server.factories import application, serve_catalogue
from graphs.app.server.guard import UPLOAD, Admitted, Guard
from graphs.app.server.private import keep_private
from graphs.app.transcript import NOTICE
from tools.errors import ImageError
from tools.images.limits import Limits
from tools.images.load import load_image
from tools.private_files import WriteError

UPLOAD_MB = 256
SECONDS = 120.0
"""For an upload to arrive."""
_arriving, _decoding = asyncio.Semaphore(4), asyncio.Semaphore(1)


def upload_limits(variables: Mapping[str, str] = os.environ) -> Limits:
    """What an upload may hold. Raises ValueError where `MEDVISTA_UPLOAD_MB` is no whole number."""
    given = variables.get("MEDVISTA_UPLOAD_MB") or str(UPLOAD_MB)
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"Got MEDVISTA_UPLOAD_MB={given!r}, expected how many MB an upload may hold, unpacked.")
    most = int(given) * 2**20
    return Limits(voxels=most // 2, file_bytes=most)


async def upload(request: Request) -> Response:
    """Puts an image into the store."""
    try:
        spacing = _spacing(request.query_params.get("spacing"))
        async with _arriving:
            content = await _received(request)
            async with _decoding:
                return JSONResponse(await asyncio.to_thread(_put, content, spacing), status_code=201)
    except (ImageError, ValueError) as error:
        return _refused(400, str(error))
    except WriteError as error:
        return _refused(507, str(error))
    except TimeoutError:
        return _refused(408, f"Got no whole file in {SECONDS:.0f} s. Send it again.")
    except ClientDisconnect:
        return Response(status_code=499)


async def _received(request: Request) -> bytes:
    """A request's body. Raises ImageError where it is larger than an upload may be, TimeoutError where it is late."""
    content, limits = bytearray(), upload_limits()
    async with asyncio.timeout(SECONDS):
        async for part in request.stream():
            content += part
            limits.check_bytes(len(content))
    return bytes(content)


async def show(request: Request) -> Response:
    """An image of the store as PNG."""
    try:
        async with _decoding:
            shown = await asyncio.to_thread(_png, str(request.path_params["image"]))
    except ImageError as error:
        return _refused(404, str(error))
    return Response(shown, media_type="image/png", headers={"X-Notice": NOTICE})


def _put(content: bytes, spacing: tuple[float, float] | None) -> dict[str, object]:
    image = load_image(content, spacing, limits=upload_limits())
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
    keep_private()
    upload_limits()
    await asyncio.to_thread(lambda: application().model)
    yield


serve_catalogue()
app = Starlette(
    routes=[Route(UPLOAD, upload, methods=["POST"]), Route(UPLOAD + "/{image}", show, methods=["GET"])],
    middleware=[Middleware(Guard, admitted=Admitted.of_environment())],
    lifespan=ready,
)
