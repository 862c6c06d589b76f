"""Draws the README's pictures: `python docs/pictures/make.py`. Same code, same pictures.

`loop.png` shows one phantom as the policy first sees it and what a look returns, and the way of an episode from the
image to the checkpoint that answers next. `phantom.png` is that phantom, to ask questions about.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from PIL import Image

from rl.evaluation.plots.style import INK, LINES, MUTED, RULE, as_png, new_figure
from rl.tasks.phantoms.tasks import make
from tools.calls import ToolCall
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox

FOLDER = Path(__file__).parent
TASK = ("validation", 11)
"""Split and number of the phantom that is shown."""
SEEN = 112
"""Side, in pixels, at which the embedded policy sees every image."""
LOOKING, LEARNING = LINES[0], LINES[1]


def episode(folder: Path) -> tuple[MedicalImage, MedicalImage, tuple[float, ...], str]:
    """(phantom, what the expert's look returns, its box in pixels of the phantom, the answer)."""
    import asyncio

    store = ImageStore(folder)
    task = make(store, *TASK)
    call = ToolCall.model_validate(task.expert[0])
    (result,) = asyncio.run(Toolbox(load_tools(["zoom_in"])).run([call], task.images, store))
    return store.get(task.images[0]), store.get(result.images[0]), result.regions[0].box, task.answer


def as_seen(image: MedicalImage) -> np.ndarray:
    """The image at the size at which the policy sees it."""
    return np.asarray(image.display().resize((SEEN, SEEN), Image.Resampling.BICUBIC))


def picture(axes: Axes, image: np.ndarray, place: tuple[float, float], side: float) -> None:
    """An image with its lower left corner at `place`."""
    x, y = place
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=(x, x + side, y, y + side), interpolation="nearest")


def box(axes: Axes, place: tuple[float, float], size: tuple[float, float], title: str, text: str, colour: str) -> None:
    """A rounded box with a title and a line or two below."""
    (x, y), (width, height) = place, size
    style = "round,pad=0,rounding_size=0.09"
    axes.add_patch(FancyBboxPatch(place, width, height, boxstyle=style, facecolor="white", edgecolor=colour, lw=1.4))
    middle = x + width / 2
    axes.text(middle, y + height - 0.26, title, ha="center", va="center", color=INK, fontsize=10, weight="bold")
    axes.text(middle, y + (height - 0.4) / 2, text, ha="center", va="center", color=MUTED, fontsize=8, linespacing=1.35)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, bend: float = 0.0) -> None:
    """From `start` to `end`; `bend` is the curve's height over its length."""
    style = f"arc3,rad={bend}"
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=colour, lw=1.5, connectionstyle=style)
    )


def word(
    axes: Axes, place: tuple[float, float], text: str, colour: str = MUTED, size: float = 8.5, align: str = "center"
) -> None:
    """A label."""
    axes.text(*place, text, ha=align, va="center", color=colour, fontsize=size, linespacing=1.35)


def look(axes: Axes, folder: Path) -> MedicalImage:
    """The left part: thumbnail, look, answer. Returns the phantom."""
    phantom, view, (x1, y1, x2, y2), answer = episode(folder)
    side, left, low = 2.5, 0.1, 1.1
    picture(axes, as_seen(phantom), (left, low), side)
    scale = side / phantom.width
    corner = (left + x1 * scale, low + side - y2 * scale)
    axes.add_patch(Rectangle(corner, (x2 - x1) * scale, (y2 - y1) * scale, fill=False, edgecolor=LOOKING, lw=1.6))
    picture(axes, as_seen(view), (left + 3.15, low + 0.4), 1.7)
    frame = Rectangle((left + 3.15, low + 0.4), 1.7, 1.7, fill=False, edgecolor=LOOKING, lw=1.6)
    axes.add_patch(frame)
    middle = corner[1] + (y2 - y1) * scale / 2
    arrow(axes, (corner[0] + (x2 - x1) * scale, middle), (left + 3.12, low + 1.25), LOOKING)
    word(axes, (left + side / 2, low + side + 0.2), "what the policy is shown: where, not what")
    word(axes, (left + 4.0, low + 2.3), "what a look returns")
    word(axes, (left + 4.0, low + 0.2), "as image 2", MUTED)
    word(axes, (left, 0.8), "How many calcifications does the lesion hold?", INK, 9, "left")
    word(axes, (left, 0.5), "zoom_in(image 1, box)   then   answer: " + answer, LOOKING, 9, "left")
    return phantom


def loop(axes: Axes) -> None:
    """The right part: who answers, and how the answers teach."""
    x, size = 5.75, (1.72, 0.98)
    top, bottom = 2.62, 0.5
    columns = [x, x + 2.28, x + 4.56]
    box(axes, (columns[0], top), size, "Graph", "LangGraph: think,\nrun tools, answer", LOOKING)
    box(axes, (columns[1], top), size, "Policy", "a vision-language\nmodel on vLLM", LOOKING)
    box(axes, (columns[2], top), size, "Checkpoint", "sealed folder with\na version", LEARNING)
    box(axes, (columns[0], bottom), size, "Check", "tokens, masks, pixels\nagree, or it is refused", LEARNING)
    box(axes, (columns[1], bottom), size, "Trajectories", "what was sampled and\nseen, with its reward", LEARNING)
    box(axes, (columns[2], bottom), size, "Training", "OpenRLHF with\nDeepSpeed", LEARNING)
    width, height = size
    arrow(axes, (columns[0] + width, top + 0.66), (columns[1], top + 0.66), LOOKING)
    arrow(axes, (columns[1], top + 0.32), (columns[0] + width, top + 0.32), LOOKING)
    arrow(axes, (columns[0] + width / 2, top), (columns[0] + width / 2, bottom + height), LEARNING)
    arrow(axes, (columns[0] + width, bottom + height / 2), (columns[1], bottom + height / 2), LEARNING)
    arrow(axes, (columns[1] + width, bottom + height / 2), (columns[2], bottom + height / 2), LEARNING)
    arrow(axes, (columns[2] + width / 2, bottom + height), (columns[2] + width / 2, top), LEARNING)
    arrow(axes, (columns[2], top + height / 2), (columns[1] + width, top + height / 2), LEARNING)
    word(axes, (columns[0] + width / 2 + 0.12, (top + bottom + height) / 2), "every episode", MUTED, 8.5, "left")
    word(
        axes,
        ((columns[1] + width + columns[2]) / 2, top + height + 0.2),
        "hot swap, no restart",
        LEARNING,
    )
    word(axes, (columns[2] + width / 2 - 0.12, (top + bottom + height) / 2), "every few steps", MUTED, 8.5, "right")


def main() -> None:
    """Writes both pictures."""
    figure = new_figure(12.4, 4.3)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    with TemporaryDirectory() as folder:
        phantom = look(axes, Path(folder))
    loop(axes)
    axes.plot([5.35, 5.35], [0.35, 4.25], color=RULE, lw=1)
    word(axes, (0.1, 4.16), "An episode", INK, 11, "left")
    word(axes, (5.75, 4.16), "How the agent learns", INK, 11, "left")
    axes.set_xlim(0, 12.4)
    axes.set_ylim(0.15, 4.45)
    axes.set_aspect("equal")
    (FOLDER / "loop.png").write_bytes(as_png(figure, dpi=150))
    phantom.display().save(FOLDER / "phantom.png")


if __name__ == "__main__":
    main()
