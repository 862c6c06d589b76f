"""What every process of a server, or of a training program, is changed by so that what it opens stays ours.

The folder is put on PYTHONPATH of those processes; Python then imports `sitecustomize.py` in each. What they listen on
is loopback, and their shared memory is named after their owner (agent/serving/leftovers.py). No library's file is
touched.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
LOOPBACK = {"VLLM_HOST_IP": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
"""Environment by which vLLM, gloo and NCCL meet on loopback; one machine only."""
