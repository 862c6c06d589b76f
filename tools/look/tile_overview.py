"""tile_overview: an image under a numbered grid, so that a search can be told tile by tile and leaves none out."""

from typing import Annotated

from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, regions_of
from tools.images.drawing import COLOURS, lines, shown_as, write
from tools.images.image import MedicalImage
from tools.images.pixels import box_words, shown_colours
from tools.medical_tool import medical_tool

Count = Annotated[int, Field(ge=1, le=8)]


@medical_tool(family="look", version="1")
def tile_overview(image: MedicalImage, rows: Count = 3, columns: Count = 3) -> Evidence:
    """Show an image under a grid of numbered tiles, with the box of each tile."""
    if rows * columns == 1 or rows > image.height or columns > image.width:
        raise ToolRetry(
            f"tile_overview: got {rows} rows and {columns} columns for an image of {image.width} x {image.height} "
            "pixels; expected at least two tiles, and a pixel for each."
        )
    across = [round(column * image.width / columns) for column in range(columns + 1)]
    down = [round(row * image.height / rows) for row in range(rows + 1)]
    picture = shown_colours(image)
    for x in across[1:-1]:
        lines(picture, [(x, 0), (x, image.height - 1)], COLOURS[0])
    for y in down[1:-1]:
        lines(picture, [(0, y), (image.width - 1, y)], COLOURS[0])
    tiles = [
        (across[column], down[row], across[column + 1], down[row + 1])
        for row in range(rows)
        for column in range(columns)
    ]
    numbers = [(str(number), (tile[0] + 4.0, tile[1] + 3.0)) for number, tile in enumerate(tiles, 1)]
    told = ", ".join(f"{number} {box_words(image, tile)}" for number, tile in enumerate(tiles, 1))
    return Evidence(
        text=f"Image {image.number} in {len(tiles)} tiles: {told}.",
        images=(shown_as(image, write(picture, numbers)),),
        regions=tuple(
            region for number, tile in enumerate(tiles, 1) for region in regions_of(image, tile, str(number))
        ),
    )
