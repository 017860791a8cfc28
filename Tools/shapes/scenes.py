"""Scenes of one or two flat shapes with their captions: what the shapes model is trained on and judged by.

The grammar: [a picture of] a [small|large] COLOUR FORM [PLACE] on a COLOUR background, or two such shapes with a word
for how they lie. Lengths are fractions of the picture's side, measured from its upper left corner.
"""
from dataclasses import dataclass, replace
import math

from PIL import Image, ImageDraw

SIDE = 128
OVERSAMPLING = 3
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 170, 70),
    "blue": (45, 80, 220),
    "yellow": (245, 210, 50),
    "purple": (140, 60, 180),
    "orange": (245, 140, 30),
    "white": (245, 245, 245),
    "black": (20, 20, 20),
    "pink": (245, 130, 180),
    "cyan": (60, 200, 220),
}
RADII = {"small": 0.15, "": 0.23, "large": 0.33}
PLACES = {
    "": (0.5, 0.5),
    "on the left": (0.25, 0.5),
    "on the right": (0.75, 0.5),
    "at the top": (0.5, 0.25),
    "at the bottom": (0.5, 0.75),
}
# How the first shape of two lies to the second one, and where both are.
RELATIONS = {
    "to the left of": ("on the left", "on the right"),
    "to the right of": ("on the right", "on the left"),
    "next to": ("on the left", "on the right"),
    "and": ("on the left", "on the right"),
    "above": ("at the top", "at the bottom"),
    "below": ("at the bottom", "at the top"),
}


def polygon(*points):
    """Draws a form given by points around its centre, in radii."""
    return lambda canvas, x, y, r, colour, _: canvas.polygon([(x + r * dx, y + r * dy) for dx, dy in points], colour)


def ellipse(canvas, x, y, r, colour):
    canvas.ellipse([x - r, y - r, x + r, y + r], colour)


def ring(canvas, x, y, r, colour, background):
    ellipse(canvas, x, y, r, colour)
    ellipse(canvas, x, y, 0.55 * r, background)


def star_point(i):
    angle, length = math.pi * (i / 5 - 0.5), 0.45 if i % 2 else 1.1
    return length * math.cos(angle), length * math.sin(angle)


def heart_point(i):
    """The well-known heart curve, a little wider than high."""
    t = 2 * math.pi * i / 60
    height = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
    return 1.05 * math.sin(t) ** 3, -1.05 / 16 * height


ARM = 0.34
FORMS = {
    "circle": lambda canvas, x, y, r, colour, _: ellipse(canvas, x, y, r, colour),
    "ring": ring,
    "square": polygon((-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)),
    "triangle": polygon((0, -1), (1, 0.8), (-1, 0.8)),
    "diamond": polygon((0, -1.1), (0.8, 0), (0, 1.1), (-0.8, 0)),
    "cross": polygon(
        (-ARM, -1), (ARM, -1), (ARM, -ARM), (1, -ARM), (1, ARM), (ARM, ARM),
        (ARM, 1), (-ARM, 1), (-ARM, ARM), (-1, ARM), (-1, -ARM), (-ARM, -ARM),
    ),  # fmt: skip
    "star": polygon(*map(star_point, range(10))),
    "heart": polygon(*map(heart_point, range(60))),
}


@dataclass(frozen=True)
class Shape:
    size: str
    colour: str
    form: str
    place: str
    in_pair: bool

    @property
    def radius(self):
        return RADII[self.size] * (0.7 if self.in_pair else 1 if self.place == "" else 0.75)

    @property
    def name(self):
        return article(" ".join(filter(None, [self.size, self.colour, self.form])))


@dataclass(frozen=True)
class Scene:
    background: str
    shapes: tuple
    relation: str = ""

    @property
    def caption(self):
        first, *second = self.shapes
        rest = [self.relation, second[0].name] if second else [first.place]
        return " ".join(filter(None, [first.name, *rest, "on", article(self.background), "background"]))

    @property
    def shrunk(self):
        """The same with small shapes."""
        return replace(self, shapes=tuple(replace(shape, size="small") for shape in self.shapes))

    def draw(self, random=None):
        """The picture [SIDE, SIDE, 3]; with a generator, shapes are moved and scaled a little, as in training."""
        n = SIDE * OVERSAMPLING
        picture = Image.new("RGB", (n, n), COLOURS[self.background])
        canvas = ImageDraw.Draw(picture)
        vary = random.uniform if random else lambda low, high: (low + high) / 2
        for shape in self.shapes:
            x, y = (c + vary(-0.03, 0.03) for c in PLACES[shape.place])
            radius = shape.radius * vary(0.93, 1.07)
            FORMS[shape.form](canvas, x * n, y * n, radius * n, COLOURS[shape.colour], COLOURS[self.background])
        return picture.resize((SIDE, SIDE), Image.LANCZOS)


def article(words):
    return ("an " if words[0] == "o" else "a ") + words


def random_shape(random, background, place, in_pair=False):
    colour = random.choice([name for name in COLOURS if name != background])
    return Shape(random.choice(list(RADII)), colour, random.choice(list(FORMS)), place, in_pair)


def one_shape(random):
    background = random.choice(list(COLOURS))
    return Scene(background, (random_shape(random, background, random.choice(list(PLACES))),))


def two_shapes(random):
    background, relation = random.choice(list(COLOURS)), random.choice(list(RELATIONS))
    shapes = (random_shape(random, background, place, in_pair=True) for place in RELATIONS[relation])
    return Scene(background, tuple(shapes), relation)
