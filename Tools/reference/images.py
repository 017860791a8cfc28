#!/usr/bin/env python3
"""Writes small PNG files of every colour type and depth and the RGB samples that they hold.

    pip install pillow numpy
    python3 images.py ../../Tests/DiffusionModelsTests/Fixtures/image

The files are assembled here, chunk by chunk, because no library writes all types. `expected.json` has [height, width, 3] samples
per file. Depths below 8 scale to 0…255 (exactly: 255 is a multiple of 1, 3 and 15), 16 bits round to 8; alpha, transparent
colours and gamma are ignored. Pillow checks the files that it can read.
"""
import json, os, struct, sys, zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 7, 5
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]  # x, y, dx, dy


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def scanlines(samples, depth):
    lines = b""
    for row in samples.reshape(len(samples), -1):
        bits = "".join(format(int(v), f"0{depth}b") for v in row)
        bits += "0" * (-len(bits) % 8)
        lines += b"\0" + bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    return lines


def picture(kind, depth, interlaced, extra, random):
    samples = random.integers(0, 2 if kind == 3 and depth == 1 else 2**depth, (HEIGHT, WIDTH, CHANNELS[kind]))
    palette = random.integers(0, 256, (2**depth, 3)) if kind == 3 else None
    if interlaced:
        passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        data = b"".join(scanlines(p, depth) for p in passes if p.size)
    else:
        data = scanlines(samples, depth)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, interlaced))
    file += b"".join(chunk(k, d) for k, d in extra if k != b"tRNS")
    if kind == 3:
        file += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        rgb = palette[samples[..., 0]]
    else:
        rgb = samples[..., :3] if kind in (2, 6) else samples[..., :1].repeat(3, axis=2)
        rgb = (rgb * 255 + 32895) >> 16 if depth == 16 else rgb * 255 // (2**depth - 1)
    file += b"".join(chunk(k, d) for k, d in extra if k == b"tRNS")
    return file + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""), rgb


def main(folder):
    os.makedirs(folder, exist_ok=True)
    random, expected = np.random.default_rng(0), {}
    cases = {f"gray{d}": (0, d, 0, []) for d in (1, 2, 4, 8, 16)} | {f"palette{d}": (3, d, 0, []) for d in (1, 2, 4, 8)}
    cases |= {f"{n}{d}": (k, d, 0, []) for n, k in (("rgb", 2), ("grayalpha", 4), ("rgba", 6)) for d in (8, 16)}
    gamma = (b"gAMA", struct.pack(">I", 100000))
    cases |= {
        "rgb8-interlaced": (2, 8, 1, []), "gray1-interlaced": (0, 1, 1, []), "rgb8-gamma": (2, 8, 0, [gamma]),
        "rgb16-gamma": (2, 16, 0, [gamma]), "palette8-transparent": (3, 8, 0, [(b"tRNS", bytes(range(200)))]),
        "gray8-transparent": (0, 8, 0, [(b"tRNS", b"\0\x20")]),
    }
    for name, (kind, depth, interlaced, extra) in cases.items():
        file, rgb = picture(kind, depth, interlaced, extra, random)
        with open(f"{folder}/{name}.png", "wb") as out:
            out.write(file)
        with Image.open(f"{folder}/{name}.png") as image:
            if depth < 16:
                assert np.array_equal(np.asarray(image.convert("RGB")), rgb), name
        expected[name] = rgb.ravel().tolist()
    with open(f"{folder}/expected.json", "w") as out:
        out.write("{\n" + ",\n".join(f'"{k}":{json.dumps(v, separators=(",", ":"))}' for k, v in expected.items()) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
