# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes pictures/, damaged/ and references/ with Pillow 13 and numpy: the truth that image_test compares with.

Run it in this folder; the tests themselves need neither Python nor Pillow."""

import os
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 17, 13


def scene(width, height):
    """A picture with smooth parts, edges and noise, so that every filter has something to get wrong."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(7).integers(0, 60, (height, width, 3))
    smooth = np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1)
    edges = ((x // 5 + y // 4) % 2)[..., None] * np.array([90, 0, 120])
    return np.clip(smooth + edges + noise - 60, 0, 255).astype(np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, data, interlace=0, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data, 9))
            + chunk(b"IEND", b""))


def filter_none(rows):
    return b"".join(b"\0" + row.tobytes() for row in rows)


def adam7(pixels):
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    return b"".join(filter_none(pixels[y0::dy, x0::dx]) for x0, y0, dx, dy in passes if pixels[y0::dy, x0::dx].size)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def pnm(path, pixels):
    """As plain PPM or PGM, which the test reads without the code under test."""
    kind = b"P6" if pixels.ndim == 3 else b"P5"
    write(path, b"%s\n%d %d\n255\n" % (kind, pixels.shape[1], pixels.shape[0]) + pixels.tobytes())


def pictures():
    rgb = scene(WIDTH, HEIGHT)
    image = Image.fromarray(rgb)
    image.save("pictures/rgb8.png")
    image.convert("L").save("pictures/grey8.png")
    image.convert("1").save("pictures/grey1.png")
    image.quantize(50).save("pictures/palette8.png")
    image.quantize(11).save("pictures/palette4-transparent.png", transparency=b"\0\x80\xff", bits=4)
    alpha = Image.fromarray((rgb[..., 1] // 2 + 60).astype(np.uint8))
    for mode, name in (("LA", "grey-alpha8"), ("RGBA", "rgba8")):
        with_alpha = image.convert(mode)
        with_alpha.putalpha(alpha)
        with_alpha.save(f"pictures/{name}.png")
    write("pictures/interlaced.png", png(WIDTH, HEIGHT, 8, 2, adam7(rgb), interlace=1))
    write("pictures/transparent-colour.png",
          png(WIDTH, HEIGHT, 8, 2, filter_none(rgb), extra=chunk(b"tRNS", struct.pack(">3H", *map(int, rgb[0, 0])))))
    for depth in (2, 4):
        values = rgb[..., 0] >> (8 - depth)
        per_byte = 8 // depth
        padded = np.zeros((HEIGHT, -(-WIDTH // per_byte) * per_byte), np.uint8)
        padded[:, :WIDTH] = values
        packed = sum(padded[:, i::per_byte] << (8 - depth * (i + 1)) for i in range(per_byte)).astype(np.uint8)
        write(f"pictures/grey{depth}.png", png(WIDTH, HEIGHT, depth, 0, filter_none(packed)))
    rgb16 = (rgb.astype(np.uint16) * 257 + 77).astype(">u2")
    write("pictures/rgb16.png", png(WIDTH, HEIGHT, 16, 2, filter_none(rgb16)))
    write("pictures/grey16.png", png(WIDTH, HEIGHT, 16, 0, filter_none(np.ascontiguousarray(rgb16[..., 1]))))
    image.save("pictures/photo.jpg", quality=92)
    image.save("pictures/photo444.jpg", quality=92, subsampling=0)
    image.save("pictures/progressive.jpg", quality=80, progressive=True)
    image.convert("L").save("pictures/grey.jpg", quality=90)
    image.convert("CMYK").save("pictures/cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be ignored
    image.save("pictures/rotated.jpg", quality=92, exif=exif)


def decoded():
    for name in sorted(os.listdir("pictures")):
        stem = "references/" + name.replace(".", "-")
        image = Image.open("pictures/" + name)
        if image.mode == "I;16":  # Pillow clips these to white; the high byte is what is meant
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        pnm(stem + ".ppm", np.asarray(image.convert("RGB")))
        pnm(stem + ".pgm", np.asarray(image.convert("L")))


def resized():
    source = scene(45, 61)
    pnm("references/source.ppm", source)
    pnm("references/source.pgm", np.asarray(Image.fromarray(source).convert("L")))
    for filter in range(6):
        for width, height in ((16, 16), (52, 66), (50, 9), (7, 64), (45, 20), (1, 1)):
            image = Image.fromarray(source).resize((width, height), resample=filter)
            pnm(f"references/resized-{filter}-{width}x{height}.ppm", np.asarray(image))
    image = Image.fromarray(source).convert("L").resize((19, 33), resample=3)
    pnm("references/resized-3-19x33.pgm", np.asarray(image))


def centre_crop(pixels, height, width):
    """transformers.image_transforms.center_crop, with its padding of small pictures."""
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    out = np.zeros((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            if 0 <= y + top < pixels.shape[0] and 0 <= x + left < pixels.shape[1]:
                out[y, x] = pixels[y + top, x + left]
    return out


def preprocessed():
    """The steps of Hugging Face's image processors: resize, centre crop, rescale, normalise."""
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)
    source = Image.fromarray(scene(45, 61))
    for name, size, crop in (("crop", (24, 32), (20, 18)), ("pad", (20, 27), (31, 22))):
        pixels = np.asarray(source.resize(size, resample=2))  # shorter edge 24 and 20
        pixels = centre_crop(pixels, *crop)
        rescaled = (pixels.astype(np.float64) * 0.00392156862745098).astype(np.float32)
        result = ((rescaled - mean) / std).transpose(2, 0, 1)
        write(f"references/preprocessed-{name}.f32", np.ascontiguousarray(result).astype("<f4").tobytes())


def damaged():
    rgb = scene(WIDTH, HEIGHT)
    good = png(WIDTH, HEIGHT, 8, 2, filter_none(rgb))
    at = good.index(b"IDAT")
    last_of_crc = good.index(b"IEND") - 5
    write("damaged/bad-crc.png", good[:last_of_crc] + bytes([good[last_of_crc] ^ 1]) + good[last_of_crc + 1:])
    write("damaged/bad-data.png", good[:at + 20] + bytes([good[at + 20] ^ 1]) + good[at + 21:])
    write("damaged/huge.png", png(2000000000, 2000000000, 8, 2, filter_none(rgb)))
    write("damaged/too-many-pixels.png", png(60000, 60000, 1, 0, b"\0" * 100))
    write("damaged/short-for-size.png", png(10000, 10000, 8, 2, filter_none(rgb)))
    write("damaged/zero-width.png", png(0, HEIGHT, 8, 2, b""))
    write("damaged/zero-height.png", png(WIDTH, 0, 8, 2, b""))
    write("damaged/no-data.png", good[:at - 4] + chunk(b"IEND", b""))
    write("damaged/bad-depth.png", png(WIDTH, HEIGHT, 3, 2, filter_none(rgb)))
    write("damaged/bad-filter.png", png(WIDTH, HEIGHT, 8, 2, b"".join(b"\x09" + row.tobytes() for row in rgb)))
    write("damaged/no-palette.png", png(WIDTH, HEIGHT, 8, 3, filter_none(rgb[..., 0])))
    write("damaged/few-rows.png", png(WIDTH, HEIGHT, 8, 2, filter_none(rgb[:5])))
    write("damaged/wrong-magic.png", b"\x89PNX" + good[4:])
    write("damaged/empty.png", b"")
    with open("pictures/photo.jpg", "rb") as file:
        jpeg = file.read()
    frame = jpeg.index(b"\xff\xc0")
    write("damaged/huge.jpg", jpeg[:frame + 5] + b"\xff\xdc\xff\xdc" + jpeg[frame + 9:])
    write("damaged/short-for-size.jpg", jpeg[:frame + 5] + b"\x2e\xe0\x2e\xe0" + jpeg[frame + 9:])
    write("damaged/zero-width.jpg", jpeg[:frame + 7] + b"\0\0" + jpeg[frame + 9:])
    write("damaged/no-quantisation-tables.jpg", jpeg.replace(b"\xff\xdb", b"\xff\xe9"))
    write("damaged/only-start.jpg", jpeg[:2] + b"\xff\xd9")
    write("damaged/wrong-magic.jpg", b"\xff\xd9" + jpeg[2:])


if __name__ == "__main__":
    for folder in ("pictures", "damaged", "references"):
        os.makedirs(folder, exist_ok=True)
    pictures()
    decoded()
    resized()
    preprocessed()
    damaged()
