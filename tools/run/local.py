"""Where a tool runs unless a wrapper names another place: in this process, in a thread, or in the event loop if it was
written for it. Its images are encoded and stored in a thread too, within its deadline.
"""

from tools.evidence import Evidence
from tools.run.execution import evidence, evidence_async, is_asynchronous, keep
from tools.run.threads import in_loop, in_thread
from tools.run.wrapper import Invocation


async def run_local(call: Invocation) -> Evidence:
    """The evidence of `call`, checked and kept. Raises what the tool raises."""
    tool, arguments = call.tool, call.arguments
    if not is_asynchronous(tool):
        return await in_thread(lambda: keep(evidence(tool, arguments, call.images), tool, call.store, call.limits))
    found = await in_loop(evidence_async(tool, arguments, call.images))
    if not found.images:
        return keep(found, tool, call.store, call.limits)
    return await in_thread(lambda: keep(found, tool, call.store, call.limits))
