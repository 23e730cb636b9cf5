"""From what somebody uploaded to a picture that may be kept.

Owns what is taken (JPEG, PNG, WebP, told by content), how large it may be, and that nothing but the picture remains:
it is decoded and written anew, so that places, times, serial numbers and whatever hangs behind it are gone. Blocking
and hungry: to be called in a thread. The same upload always gives the same bytes.
"""

import hashlib
import io
from dataclasses import dataclass

import puremagic
from PIL import ExifTags, Image

from domain.errors import Refused

MEDIA_TYPE = "image/jpeg"
"""What every picture is stored as."""

THUMB_SIDE = 480
"""Longest side of the small picture, in pixels."""

_TAKEN = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_HEAD = 64
_QUALITY, _THUMB_QUALITY = 85, 75
# How a camera held the picture (EXIF), and what puts it upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Stored:
    """Bytes and the SHA-256 of them."""

    digest: str
    content: bytes

    @classmethod
    def of(cls, content: bytes) -> "Stored":
        """The bytes under their digest."""
        return cls(hashlib.sha256(content).hexdigest(), content)


@dataclass(frozen=True)
class Picture:
    """A picture made anew, and the small one of it."""

    full: Stored
    thumb: Stored
    width: int
    height: int


def make_anew(content: bytes, *, side: int, pixels: int, field: str, place: int) -> Picture:
    """The picture in ``content`` as it may be kept, its longest side at most ``side``.

    Of something animated the first picture remains. ``field`` and ``place`` (from 1) tell the sender which file is
    meant. Raises ``Refused``: ``file.wrong_type``, ``file.too_many_pixels`` before anything is decoded,
    ``file.damaged``.
    """
    kind = _kind_of(content)
    if kind is None:
        raise Refused("file.wrong_type", field=field, place=place)
    try:
        image = _opened(content, kind)
        width, height = image.size
        if width * height <= pixels:
            return _made(image, side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        pass
    except Exception as error:
        # Whatever a decoder trips over, it is the file that is wrong.
        raise Refused("file.damaged", field=field, place=place) from error
    raise Refused("file.too_many_pixels", field=field, place=place, limit=pixels // 1_000_000)


def _kind_of(content: bytes) -> str | None:
    try:
        return _TAKEN.get(puremagic.from_string(content[:_HEAD], mime=True))
    except (puremagic.PureError, ValueError):
        return None


def _opened(content: bytes, kind: str) -> Image.Image:
    """The picture with nothing decoded yet; no other decoder is tried than the one of its kind."""
    return Image.open(io.BytesIO(content), formats=(kind,))


def _made(image: Image.Image, side: int) -> Picture:
    turned = _orientation(image)
    # A JPEG can be decoded at a half, a quarter or an eighth of its size: a fraction of time and memory.
    image.draft(None, (side, side))
    image.load()
    plain = _plain(image)
    plain.thumbnail((side, side), Image.Resampling.LANCZOS)
    if turned in _UPRIGHT:
        plain = plain.transpose(_UPRIGHT[turned])
    small = plain.copy()
    small.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    full, thumb = _written(plain, _QUALITY), _written(small, _THUMB_QUALITY)
    return Picture(full, thumb, plain.width, plain.height)


def _orientation(image: Image.Image) -> int:
    """How the camera was held; what is no sound EXIF says nothing."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - it is only about which way is up, and it is thrown away anyhow
        return 1


def _plain(image: Image.Image) -> Image.Image:
    """The picture in three colours on white, and nothing else of it."""
    if image.mode.startswith("I") or image.mode == "F":
        # Sixteen bits of grey: the upper eight.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        plain = Image.new("RGB", layer.size, "white")
        plain.paste(layer, mask=layer.getchannel("A"))
        return plain
    plain = image.convert("RGB")
    plain.info = {}
    return plain


def _written(image: Image.Image, quality: int) -> Stored:
    image.info = {}
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return Stored.of(out.getvalue())
