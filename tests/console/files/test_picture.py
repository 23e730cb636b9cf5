"""What may be uploaded, and what is left of it."""

import io
from typing import Any

import pytest
from PIL import Image

from console.files.picture import Picture, make_anew
from domain.errors import Refused
from tests.console.files.pictures import picture, png_that_claims, png_with_swelling_text, telling_photograph


def made(content: bytes, **limits: Any) -> Picture:
    return make_anew(content, **{"side": 1920, "pixels": 50_000_000, "field": "photos", "place": 1, **limits})


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_jpeg_png_and_webp_are_kept_as_jpeg(kind: str) -> None:
    found = made(picture(kind))

    assert opened(found.full.content).format == "JPEG"
    assert (found.width, found.height) == (64, 48)


def test_nothing_but_the_picture_remains() -> None:
    found = made(telling_photograph())

    for each in (found.full.content, found.thumb.content):
        assert b"CANARY" not in each
        assert b"Exif" not in each
        assert set(opened(each).info) <= {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
            "progressive",
            "progression",
        }


def test_a_photograph_taken_sideways_is_put_upright() -> None:
    found = made(telling_photograph(orientation=6))

    upright = opened(found.full.content)
    assert upright.size == (48, 64)
    red, _, blue = upright.getpixel((24, 8))  # type: ignore[misc]
    assert red > 200 > 60 > blue


def test_the_longest_side_is_bounded_and_the_thumbnail_smaller() -> None:
    found = made(picture(size=(4000, 3000)))

    assert opened(found.full.content).size == (1920, 1440)
    assert opened(found.thumb.content).size == (480, 360)


def test_the_same_upload_gives_the_same_digest() -> None:
    assert made(telling_photograph()).full.digest == made(telling_photograph()).full.digest


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("PNG", "1"),
        ("PNG", "P"),
        ("PNG", "LA"),
        ("PNG", "RGBA"),
        ("PNG", "I;16"),
        ("WEBP", "RGBA"),
    ],
)
def test_every_way_to_write_colours_becomes_three_colours(kind: str, mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (30, 20)).save(out, kind)

    assert opened(made(out.getvalue()).full.content).mode == "RGB"


def test_sixteen_bits_of_grey_keep_their_lightness() -> None:
    out = io.BytesIO()
    Image.new("I;16", (30, 20), 0xC000).save(out, "PNG")

    red, _, _ = opened(made(out.getvalue()).full.content).getpixel((10, 10))  # type: ignore[misc]
    assert abs(red - 0xC0) < 4


def test_what_can_be_seen_through_is_shown_on_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (30, 20), (0, 0, 0, 0)).save(out, "PNG")

    assert opened(made(out.getvalue()).full.content).getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_something_animated_the_first_picture_remains(kind: str) -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("green", "red", "blue")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=100)

    found = opened(made(out.getvalue()).full.content)
    assert getattr(found, "n_frames", 1) == 1
    red, green, blue = found.getpixel((10, 10))  # type: ignore[misc]
    assert green > 100 > 40 > max(red, blue)


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!doctype html><script>alert(1)</script>",
        picture("GIF"),
        picture("BMP"),
        picture("TIFF"),
        b"%PDF-1.7\n" + bytes(100),
        b"PK\x03\x04" + bytes(100),
        b"\0" * 1000,
        b"x",
    ],
)
def test_whatever_its_name_says_a_file_of_another_kind_is_refused(content: bytes) -> None:
    with pytest.raises(Refused) as refused:
        made(content)

    assert refused.value.code == "file.wrong_type"
    assert refused.value.refusal.field == "photos"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_picture_that_was_cut_short_is_refused(kind: str, share: float) -> None:
    out = io.BytesIO()
    Image.effect_noise((300, 300), 80).convert("RGB").save(out, kind)
    whole = out.getvalue()

    with pytest.raises(Refused) as refused:
        made(whole[: max(80, int(len(whole) * share))])

    assert refused.value.code == "file.damaged"


def test_a_page_behind_the_head_of_a_photograph_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        made(b"\xff\xd8\xff\xe0\x00\x10JFIF\0<html><script>alert(1)</script>")

    assert refused.value.code == "file.damaged"


def test_what_hangs_behind_a_photograph_is_gone() -> None:
    found = made(picture() + b"PK\x03\x04<script>alert('CANARY')</script>")

    assert b"script" not in found.full.content


@pytest.mark.parametrize(("width", "height"), [(50_001, 1_001), (30_000, 30_000), (65_000, 65_000)])
def test_too_many_pixels_are_refused_before_any_is_decoded(width: int, height: int) -> None:
    with pytest.raises(Refused) as refused:
        made(png_that_claims(width, height))

    assert refused.value.code == "file.too_many_pixels"
    assert refused.value.refusal.params["limit"] == "50"


def test_a_photograph_of_fifty_million_pixels_is_taken() -> None:
    assert made(picture(size=(8160, 6120))).width == 1920


def test_text_that_swells_when_unpacked_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        made(png_with_swelling_text())

    assert refused.value.code == "file.damaged"
