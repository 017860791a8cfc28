#!/usr/bin/env python3
"""Draws random prompts of one shape and says how many pictures show what was asked for.

    .venv/bin/python Tools/shapes/check.py .build/shapes.sdplan                      100 prompts, 50 steps, guidance 7.5
    .venv/bin/python Tools/shapes/check.py shapes.sdplan --count 20 --keep /tmp/pictures --scheduler dpm++2m --steps 20

Other options go to sd-run. A picture is right if
  background  the mean colour of each corner is nearest to the colour that was asked for, of the ten there are,
  colour      so is the median colour of what is not background,
  place       its middle is within a tenth of the side of where it belongs,
  form        cut out and scaled to a square, it has more in common with the form than with the seven others.
Sizes are not judged. The last line also says how wide the edges are, of which scenes.py draws half a pixel.
"""
import argparse, random, subprocess, sys, tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

import scenes

CORNER = scenes.SIDE // 16
NAMES, VALUES = list(scenes.COLOURS), np.array(list(scenes.COLOURS.values()), float)


def nearest_colour(value):
    return NAMES[np.abs(VALUES - value).sum(axis=-1).argmin()]


def corners(picture):
    return [picture[y, x].mean(axis=(0, 1)) for y in (slice(CORNER), slice(-CORNER, None)) for x in (slice(CORNER), slice(-CORNER, None))]


def distance_from_background(picture):
    """[SIDE, SIDE], 0 where the picture has the colour of its corners, 1 where it is furthest from it."""
    distance = np.linalg.norm(picture - np.mean(corners(picture), axis=0), axis=-1)
    return distance / max(np.percentile(distance, 99), 1)


def extent(mask):
    """First and last row and column of a mask, without the thinnest hundredth on each side, which may be speckles."""
    def ends(counts):
        share = np.cumsum(counts) / counts.sum()
        return np.searchsorted(share, 0.01), np.searchsorted(share, 0.99) + 1

    return *ends(mask.sum(axis=1)), *ends(mask.sum(axis=0))


def cut_out(mask, side=48):
    top, bottom, left, right = extent(mask)
    return np.asarray(Image.fromarray(mask[top:bottom, left:right]).resize((side, side), Image.BILINEAR))


def overlap(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


def template(form):
    shape = scenes.Shape("large", "black", form, "", in_pair=False)
    return cut_out(distance_from_background(np.asarray(scenes.Scene("white", (shape,)).draw(), float)) > 0.5)


TEMPLATES = {form: template(form) for form in scenes.FORMS}


def judge(picture, scene):
    """What is wrong with a picture [SIDE, SIDE, 3]: a part of the caption -> what the picture has instead."""
    shape, wrong = scene.shapes[0], {}
    for corner in map(nearest_colour, corners(picture)):
        if corner != scene.background:
            wrong["background"] = corner
    mask = distance_from_background(picture) > 0.5
    colour = nearest_colour(np.median(picture[mask], axis=0))
    if colour != shape.colour:
        wrong["colour"] = colour
    top, bottom, left, right = extent(mask)
    middle = (left + right) / 2 / scenes.SIDE, (top + bottom) / 2 / scenes.SIDE
    if max(abs(a - b) for a, b in zip(middle, scenes.PLACES[shape.place])) > 0.1:
        wrong["place"] = f"({middle[0]:.2f}, {middle[1]:.2f})"
    form = max(TEMPLATES, key=lambda name: overlap(TEMPLATES[name], cut_out(mask)))
    if form != shape.form:
        wrong["form"] = form
    return wrong


def edge_width(picture):
    """Pixels that are neither shape nor background for each one along the shape's outline."""
    distance = distance_from_background(picture)
    mask = distance > 0.5
    outline = (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()
    return ((distance > 0.15) & (distance < 0.85)).sum() / max(outline, 1)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("plan")
    options.add_argument("--count", type=int, default=100, help="prompts (100)")
    options.add_argument("--seed", type=int, default=1, help="of the prompts; picture i is drawn with seed i (1)")
    options.add_argument("--keep", help="a folder for the pictures")
    options, for_sd_run = options.parse_known_args()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.keep or temporary)
        folder.mkdir(exist_ok=True)
        return draw_and_judge(options, for_sd_run, folder)


def draw_and_judge(options, for_sd_run, folder):
    """Whether more than one picture in twenty is wrong, which is printed."""
    generator = random.Random(options.seed)
    failures, edges = Counter(), []
    for i in range(options.count):
        scene, path = scenes.one_shape(generator), folder / f"{i:03}.png"
        draw = [".build/release/sd-run", options.plan, "--prompt", scene.caption, "--seed", str(i), "-o", str(path), "--quiet"]
        subprocess.run(draw + for_sd_run, check=True)
        picture = np.asarray(Image.open(path), float)
        edges.append(edge_width(picture))
        wrong = judge(picture, scene)
        failures.update([*wrong, *(["picture"] if wrong else [])])
        if wrong:
            print(f"{path.name}  {scene.caption}: " + ", ".join(f"{part} {seen}" for part, seen in wrong.items()), flush=True)
    parts = ", ".join(f"{part} {failures[part]}" for part in ("form", "colour", "place", "background"))
    print(f"right: {options.count - failures['picture']} of {options.count} (wrong: {parts}); edges {np.median(edges):.1f} pixels wide")
    return failures["picture"] > options.count * 0.05


if __name__ == "__main__":
    sys.exit(main())
