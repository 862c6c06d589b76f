"""How large an image may be. Sizes are checked before anything is unpacked, so a small file cannot fill a memory."""

from dataclasses import dataclass

from tools.errors import ImageError


@dataclass(frozen=True)
class Limits:
    """Defaults bear any detector and a whole-body CT; raise them for files that you trust."""

    pixels: int = 64_000_000
    """Of one picture or slice: 8000 x 8000."""

    voxels: int = 512_000_000
    """Of a volume: 2000 slices of 512 x 512."""

    file_bytes: int = 2 * 2**30
    """Of one file, also after it was unpacked."""

    files: int = 5_000
    """In a folder of slices."""

    def check_picture(self, width: int, height: int) -> None:
        """Raises ImageError for a picture, or a slice, that is too large or has no area."""
        if width < 1 or height < 1:
            raise ImageError(f"Got an image of {width} x {height} pixels, expected at least 1 x 1: it shows nothing.")
        if width * height > self.pixels:
            raise ImageError(
                f"Got an image of {width} x {height} pixels, expected at most {self.pixels} in all. "
                "Make it smaller, or raise Limits.pixels if you trust the file."
            )

    def check_volume(self, slices: int, width: int, height: int) -> None:
        """Raises ImageError for a volume that is too large, or whose slices are."""
        self.check_picture(width, height)
        if slices < 1:
            raise ImageError(f"Got a volume of {slices} slices, expected at least 1: it shows nothing.")
        if slices * width * height > self.voxels:
            raise ImageError(
                f"Got {slices} slices of {width} x {height} pixels, expected at most {self.voxels} voxels in all. "
                "Give fewer slices, or raise Limits.voxels if you trust the file."
            )

    def check_bytes(self, count: int) -> None:
        """Raises ImageError for a file that is too large."""
        if count > self.file_bytes:
            raise ImageError(
                f"Got a file of {count} bytes or more, expected at most {self.file_bytes}. "
                "Raise Limits.file_bytes if you trust it."
            )
