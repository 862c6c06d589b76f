"""Reading the JSON of a structured answer, as LangChain's `with_structured_output` promises it."""

from typing import Any, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.utils.pydantic import is_basemodel_subclass


def parsed(held: Runnable[Any, AIMessage], schema: object, include_raw: bool) -> Runnable[Any, Any]:
    """What `held` answers, parsed; with `include_raw` the message, its content and why it could not be read."""
    is_model = isinstance(schema, type) and is_basemodel_subclass(schema)
    parser = cast(
        "BaseOutputParser[Any]",
        PydanticOutputParser[Any](pydantic_object=cast("type[Any]", schema)) if is_model else JsonOutputParser(),
    )
    if not include_raw:
        return held | parser

    def read(message: AIMessage) -> dict[str, Any]:
        try:
            return {"raw": message, "parsed": parser.invoke(message), "parsing_error": None}
        except OutputParserException as error:
            return {"raw": message, "parsed": None, "parsing_error": error}

    return held | RunnableLambda(read)
