"""OpenRLHF, unmodified, with DeepSpeed and its own vLLM engines: the only room that names it."""
