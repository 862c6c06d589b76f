"""What a graph needs of a chat model beside LangChain's own interface: images by their ids in a store.

Messages carry `{"type": "image", "file_id": ID}` in place of pixels, so states and checkpoints stay small. Two kinds
of chat model understand that: `PolicyChatModel`, our policies, exact and trainable; and `ProviderChatModel`, any other
chat model of LangChain, for which images are put into the form that its provider takes.
"""

from abc import ABC, abstractmethod

from langchain_core.language_models import BaseChatModel

from tools.images.store import ImageStore


class ImageChatModel(BaseChatModel, ABC):
    """A chat model that is shown the images of a store by their ids."""

    @property
    @abstractmethod
    def image_store(self) -> ImageStore:
        """Where the images of its messages lie."""

    @abstractmethod
    def why_not_shown(self, image: str) -> str | None:
        """Why an image of the store cannot be shown to this model (its processor refuses the shape); None if it can."""
