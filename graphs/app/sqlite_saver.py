"""LangGraph's saver for SQLite, whose writes end as they were begun.

LangGraph cancels what a node writes together with the node: where one of several nodes is lost, with the others. A
write that is broken off in its transaction leaves the file locked against every other process, until the connection
writes again or is collected as garbage.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


class UninterruptedSaver(AsyncSqliteSaver):
    """As LangGraph's, but for whom a cancelled write is cancelled: those who wait for it, never the write."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._under_way: set[asyncio.Future[Any]] = set()

    async def aput(self, *arguments: Any, **named: Any) -> Any:
        """As LangGraph's."""
        return await self._to_its_end(super().aput(*arguments, **named))

    async def aput_writes(self, *arguments: Any, **named: Any) -> None:
        """As LangGraph's."""
        await self._to_its_end(super().aput_writes(*arguments, **named))

    async def settled(self) -> None:
        """Waits for the writes that nobody waits for any more; the connection may then be closed."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.conn.rollback()

    async def _to_its_end(self, write: Coroutine[Any, Any, Any]) -> Any:
        under_way = asyncio.ensure_future(write)
        self._under_way.add(under_way)
        under_way.add_done_callback(self._under_way.discard)
        return await asyncio.shield(under_way)
