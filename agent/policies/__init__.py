"""Policies: what can write a turn. Served by vLLM, inside OpenRLHF's engine, scripted, or any LangChain chat model."""
