"""The photographs of the demo: drawn, so that no real place is in them, and taken in like everybody's.

Owns the drawing. A few views of a lane, with something in the way before and nothing after.
"""

import io
import random
from functools import cache

import asyncpg
from PIL import Image, ImageDraw, ImageFilter

from console.files.keeping import Files, keep_uploads

_WIDTH, _HEIGHT, _HORIZON = 640, 480, 300
_VIEWS = 6
_WALLS = ((214, 206, 190), (201, 190, 176), (188, 196, 204), (219, 199, 178))
_LITTER = ((120, 86, 60), (90, 90, 96), (150, 120, 70), (70, 80, 62), (160, 60, 50))


class _Upload:
    """A picture as a form would carry it."""

    def __init__(self, content: bytes) -> None:
        self.filename: str | None = "photo.jpg"
        self._content = content

    async def read(self, size: int = -1) -> bytes:
        """All of it."""
        return self._content


class _Taker:
    """Who took the picture."""

    def __init__(self, person: str) -> None:
        self.person = person


class Pictures:
    """Takes pictures and keeps them where the console looks for them."""

    def __init__(self, pool: asyncpg.Pool, files: Files) -> None:
        self.pool, self.files = pool, files

    async def take(self, person: str, kind: str, caption: str) -> dict[str, str]:
        """A picture by this person as evidence; ``kind`` before or after."""
        view = sum(caption.encode()) % _VIEWS
        (evidence,) = await keep_uploads(self, _Taker(person), [_Upload(_draw(view, kind == "before"))], kind)
        return evidence.model_dump(mode="json", exclude_none=True)


@cache
def _draw(view: int, littered: bool) -> bytes:
    chance = random.Random(view)
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), (196, 216, 236))
    pen = ImageDraw.Draw(picture)
    left = 0
    while left < _WIDTH:
        width, top = chance.randint(120, 220), chance.randint(60, 150)
        pen.rectangle((left, top, left + width, _HORIZON), fill=chance.choice(_WALLS))
        for row in range(top + 24, _HORIZON - 40, 56):
            for column in range(left + 18, left + width - 30, 48):
                pen.rectangle((column, row, column + 24, row + 32), fill=(96, 116, 136))
        left += width
    pen.rectangle((0, _HORIZON, _WIDTH, _HEIGHT), fill=(142, 140, 136))
    pen.polygon(((250, _HORIZON), (390, _HORIZON), (640, _HEIGHT), (0, _HEIGHT)), fill=(120, 118, 116))
    for step in range(5):
        top = _HORIZON + 20 + step * 34
        pen.rectangle((312 - step * 2, top, 328 + step * 2, top + 16), fill=(220, 216, 200))
    for trunk in (90, 560):
        pen.rectangle((trunk - 6, 210, trunk + 6, _HORIZON + 10), fill=(96, 72, 52))
        pen.ellipse((trunk - 52, 120, trunk + 52, 236), fill=(86, 130, 78))
    if littered:
        for _ in range(60):
            across, down, size = chance.gauss(320, 80), chance.gauss(392, 26), chance.randint(8, 34)
            pen.ellipse((across - size, down - size // 2, across + size, down + size // 2), fill=chance.choice(_LITTER))
    content = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(0.8)).save(content, "JPEG", quality=82)
    return content.getvalue()
