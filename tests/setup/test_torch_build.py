"""No request for torch can ever fetch the build for CUDA onto a machine without a GPU."""

from setup.torch_build import CPU_INDEX, cpu_sources, no_cpu_torch


def test_torch_is_asked_for_as_a_cpu_build_only() -> None:
    configured, index = cpu_sources("torch", "2.13.0")
    assert configured.arguments == ("torch==2.13.0+cpu",)
    assert index.arguments[-1] == "torch==2.13.0+cpu"
    assert index.arguments[-3:-1] == ("--index-url", CPU_INDEX)


def test_torchvision_ends_with_the_build_whose_python_side_serves() -> None:
    asked = [source.arguments[-1] for source in cpu_sources("torchvision", "0.28.0")]
    assert asked == ["torchvision==0.28.0+cpu", "torchvision==0.28.0+cpu", "torchvision==0.28.0"]


def test_the_message_names_what_was_asked_and_how_to_mend_it() -> None:
    message = no_cpu_torch("2.13.0", "3.12.1")
    assert "torch 2.13.0 for Python 3.12.1" in message
    assert CPU_INDEX in message
    assert "PIP_FIND_LINKS=FOLDER make setup" in message
