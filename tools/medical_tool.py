"""`@medical_tool`: from a plain function over images to a LangChain tool.

The function takes `MedicalImage`s and returns `Evidence`; the policy names images by number. This file decides how one
becomes the other: the arguments' schema has an image number where the function has an image, the images of a call come
from LangChain's config (`configurable: {"images": [...]}`, number 1 first), and every image that the function made is
stamped with the operation that made it, so that no tool can forget its provenance.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, cast, get_type_hints, overload

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from pydantic import ConfigDict, Field, create_model

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.provenance import Operation, Provenance
from tools.registry import register
from tools.run.wrapper import Wrapper

ToolFunction = Callable[..., Evidence] | Callable[..., Awaitable[Evidence]]
ImageNumber = Annotated[int, Field(ge=1, description="number of an image, from 1")]


class MedicalTool(StructuredTool):
    """A LangChain tool over medical images. Its content is the evidence's text, its artifact the Evidence."""

    family: str = "other"
    version: str = "1"
    """Changes whenever the same call would give another result: caches and provenance rely on it. Empty for a tool that
    does not answer the same call the same way twice."""

    image_parameters: tuple[str, ...] = ()
    """The arguments that are image numbers."""

    warm_up: Callable[[], object] | None = None
    """Loads what takes long (models), before the first call and off its deadline."""

    deadline_s: float | None = None
    """Seconds that a call may take; None: as long as the Toolbox says."""

    wrappers: tuple[Callable[..., Any], ...] = ()
    """What a Toolbox puts around each call of this tool, inside its own wrappers."""

    needs: str = ""
    """What its user must provide before it runs (a package, weights, a setting); empty for a tool that always runs."""

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    def apply(self, arguments: Mapping[str, Any], images: Sequence[MedicalImage]) -> Evidence:
        """The evidence for validated `arguments`, with image n being `images[n - 1]`.

        Raises ToolRetry for an image number that there is not, ToolFailed for a function that returns no Evidence.
        """
        if self.func is None:
            raise TypeError(f"{self.name} is asynchronous: await aapply instead of calling apply.")
        inputs = self._inputs(arguments, images)
        return self._stamped(self.func(**{**arguments, **inputs}), arguments, inputs)

    async def aapply(self, arguments: Mapping[str, Any], images: Sequence[MedicalImage]) -> Evidence:
        """As `apply`, for a tool made from an `async def`."""
        if self.coroutine is None:
            return self.apply(arguments, images)
        inputs = self._inputs(arguments, images)
        return self._stamped(await self.coroutine(**{**arguments, **inputs}), arguments, inputs)

    def check_image_numbers(self, arguments: Mapping[str, Any], image_count: int) -> None:
        """Raises ToolRetry for an image number outside 1..image_count."""
        for name in self.image_parameters:
            if not 1 <= arguments[name] <= image_count:
                there = f"the images are 1 to {image_count}" if image_count else "there is no image yet"
                raise ToolRetry(f"{self.name}: got {name} {arguments[name]}, but {there}.")

    def _run(
        self, *args: Any, config: RunnableConfig, run_manager: CallbackManagerForToolRun | None = None, **kwargs: Any
    ) -> tuple[str, Evidence]:
        evidence = self.apply(kwargs, _configured_images(config))
        return evidence.text, evidence

    async def _arun(
        self,
        *args: Any,
        config: RunnableConfig,
        run_manager: AsyncCallbackManagerForToolRun | None = None,
        **kwargs: Any,
    ) -> tuple[str, Evidence]:
        evidence = await self.aapply(kwargs, _configured_images(config))
        return evidence.text, evidence

    def _inputs(self, arguments: Mapping[str, Any], images: Sequence[MedicalImage]) -> dict[str, MedicalImage]:
        self.check_image_numbers(arguments, len(images))
        numbers: dict[str, int] = {name: arguments[name] for name in self.image_parameters}
        return {name: images[number - 1].numbered(number) for name, number in numbers.items()}

    def _stamped(self, evidence: object, arguments: Mapping[str, Any], inputs: Mapping[str, MedicalImage]) -> Evidence:
        if not isinstance(evidence, Evidence) or not _all_images(evidence.images):
            raise ToolFailed(f"{self.name} returned {type(evidence).__name__}, expected Evidence with MedicalImages.")
        if not (evidence.images and inputs):
            return evidence
        ids = {name: image.id for name, image in inputs.items()}
        unchanged = {image.id: image for image in inputs.values()}
        first = next(iter(inputs.values()))
        descents = [image.origin() for image in inputs.values()]

        def stamp(output: int, image: MedicalImage) -> MedicalImage:
            if image.id in unchanged:
                return unchanged[image.id]
            operation = Operation(self.name, self.version, {**arguments, **ids}, output)
            descent = image.provenance or _descent(image, first)
            return image.with_provenance(descent.made_by(operation, descents))

        return replace(evidence, images=tuple(stamp(*each) for each in enumerate(evidence.images, 1)))


@overload
def medical_tool(function: ToolFunction, /) -> MedicalTool: ...
@overload
def medical_tool(
    *,
    family: str = "other",
    version: str = "1",
    warm_up: Callable[[], object] | None = None,
    deadline_s: float | None = None,
    wrappers: Sequence[Wrapper] = (),
    needs: str = "",
) -> Callable[[ToolFunction], MedicalTool]: ...
def medical_tool(
    function: ToolFunction | None = None,
    /,
    *,
    family: str = "other",
    version: str = "1",
    warm_up: Callable[[], object] | None = None,
    deadline_s: float | None = None,
    wrappers: Sequence[Wrapper] = (),
    needs: str = "",
) -> MedicalTool | Callable[[ToolFunction], MedicalTool]:
    """Turns a typed function into a registered LangChain tool; its docstring is what the policy reads.

    Parameters annotated `MedicalImage` become image numbers; all others need annotations that JSON values fit (`Box`
    and `Point` of tools.geometry for coordinates). Images are best made by `crop`, `derived` and `turned` of an input:
    these know what they show. One without provenance, of the first input's size, is taken to show the same.
    `MedicalTool` says what the options mean. Raises TypeError for a missing annotation or docstring. A function inside
    another one is not registered: pass the tool itself.
    """
    options: dict[str, Any] = {
        "family": family,
        "version": version,
        "warm_up": warm_up,
        "deadline_s": deadline_s,
        "wrappers": tuple(wrappers),
        "needs": needs,
    }
    if function is None:
        return lambda function: _make(function, options)
    return _make(function, options)


def _make(function: ToolFunction, options: Mapping[str, Any]) -> MedicalTool:
    name = function.__name__
    if not function.__doc__:
        raise TypeError(f"Got the tool {name} without a docstring; the policy reads it, so say what the tool does.")
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    if missing := [each for each in parameters if each not in hints]:
        raise TypeError(f"Got the tool {name} with parameters that have no type: {missing}. Annotate them.")
    image_parameters = tuple(each for each in parameters if hints[each] is MedicalImage)
    fields: dict[str, Any] = {
        each: (
            ImageNumber if each in image_parameters else hints[each],
            ... if parameter.default is inspect.Parameter.empty else parameter.default,
        )
        for each, parameter in parameters.items()
    }
    asynchronous = inspect.iscoroutinefunction(function)
    made = MedicalTool(
        name=name,
        description=inspect.cleandoc(function.__doc__),
        func=None if asynchronous else cast("Callable[..., Evidence]", function),
        coroutine=cast("Callable[..., Awaitable[Evidence]]", function) if asynchronous else None,
        args_schema=create_model(name, __config__=ConfigDict(extra="forbid"), **fields),
        image_parameters=image_parameters,
        **options,
    )
    if "<locals>" not in function.__qualname__:  # a tool made inside a function is its maker's own
        register(made)
    return made


def _descent(image: MedicalImage, first: MedicalImage) -> Provenance:
    """Of an image whose tool did not say it: of the first input's size, it shows the same; else nobody knows what."""
    origin = first.origin()
    return origin if image.size == first.size else replace(origin, panels=())


def _all_images(images: Sequence[object]) -> bool:
    return type(images) in (tuple, list) and all(isinstance(each, MedicalImage) for each in images)


def _configured_images(config: RunnableConfig) -> Sequence[MedicalImage]:
    return cast("Sequence[MedicalImage]", config.get("configurable", {}).get("images", ()))
