"""What a drawn person looks like, and the sentence that says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

RGB = tuple[int, int, int]
Pattern = Literal["plain", "striped", "pinstriped", "checked", "two-tone", "dotted"]
Garment = Literal["shirt", "jacket", "coat", "dress"]
Lower = Literal["trousers", "shorts", "skirt"]
Hair = Literal["short", "long", "bald", "cap"]
Bag = Literal["none", "backpack", "satchel", "handbag"]

Choice = TypeVar("Choice")

COLOURS: dict[str, RGB] = {
    "black": (28, 28, 30),
    "white": (232, 232, 228),
    "grey": (128, 128, 130),
    "red": (192, 38, 42),
    "orange": (226, 120, 34),
    "yellow": (228, 200, 62),
    "green": (52, 128, 62),
    "teal": (40, 142, 142),
    "blue": (58, 104, 196),
    "navy": (32, 42, 96),
    "purple": (118, 58, 142),
    "pink": (228, 134, 166),
    "brown": (112, 72, 44),
    "beige": (206, 184, 144),
}

PATTERNS: dict[Pattern, float] = {
    "plain": 0.46,
    "striped": 0.14,
    "pinstriped": 0.08,
    "checked": 0.10,
    "two-tone": 0.14,
    "dotted": 0.08,
}
GARMENTS: dict[Garment, float] = {"shirt": 0.50, "jacket": 0.25, "coat": 0.13, "dress": 0.12}
LOWERS: dict[Lower, float] = {"trousers": 0.62, "shorts": 0.24, "skirt": 0.14}
HAIRS: dict[Hair, float] = {"short": 0.46, "long": 0.27, "bald": 0.07, "cap": 0.20}
BAGS: dict[Bag, float] = {"none": 0.34, "backpack": 0.26, "satchel": 0.20, "handbag": 0.20}

UPPER_COLOURS = {name: 2.6 if name in ("black", "white") else 1.0 for name in COLOURS}
LOWER_COLOURS = {"black": 5.0, "blue": 4.0, "navy": 3.0, "grey": 3.0, "beige": 3.0}
HAIR_COLOURS = {"black": 4.0, "brown": 4.0, "yellow": 2.0, "grey": 1.0, "red": 1.0}
ANY_COLOUR = dict.fromkeys(COLOURS, 1.0)

SKINS: tuple[RGB, ...] = ((244, 206, 178), (222, 172, 136), (168, 116, 82), (98, 66, 48))


@dataclass(frozen=True, kw_only=True)
class Dye:
    """A named colour in this person's own shade."""

    name: str
    rgb: RGB


@dataclass(frozen=True, kw_only=True)
class Person:
    """Everything about a person that stays the same in every picture."""

    upper: Dye
    second: Dye  # of the pattern; worn by everybody, seen unless the pattern is plain
    pattern: Pattern
    period: float  # of stripes, checks and dots, in pixels of the 128 x 256 canvas
    garment: Garment
    has_long_sleeves: bool
    inner: Dye  # under an open jacket or coat, seen from the front only
    logo: Dye | None  # on the chest, seen from the front only
    lower: Lower  # under a dress there is none to be seen
    lower_dye: Dye
    shoes: Dye
    skin: RGB
    hair: Hair
    hair_dye: Dye
    cap_dye: Dye
    bag: Bag
    bag_dye: Dye
    height: float  # relative to the average person
    width: float
    leg_ratio: float  # leg length relative to the average share of the height


def draw_person(rng: np.random.Generator) -> Person:
    """Dress a new person at random."""
    upper = pick(rng, UPPER_COLOURS)
    garment = pick(rng, GARMENTS)
    return Person(
        upper=_dye(rng, upper),
        second=_dye(rng, pick(rng, {c: w for c, w in UPPER_COLOURS.items() if c != upper})),
        pattern=pick(rng, PATTERNS),
        period=float(rng.uniform(9, 22)),
        garment=garment,
        has_long_sleeves=bool(rng.random() < 0.5) or garment in ("jacket", "coat"),
        inner=_dye(rng, pick(rng, ANY_COLOUR)),
        logo=_dye(rng, pick(rng, ANY_COLOUR)) if rng.random() < 0.3 else None,
        lower=pick(rng, LOWERS),
        lower_dye=_dye(rng, pick(rng, LOWER_COLOURS)),
        shoes=_dye(rng, pick(rng, ANY_COLOUR)),
        skin=SKINS[rng.integers(len(SKINS))],
        hair=pick(rng, HAIRS),
        hair_dye=_dye(rng, pick(rng, HAIR_COLOURS)),
        cap_dye=_dye(rng, pick(rng, ANY_COLOUR)),
        bag=pick(rng, BAGS),
        bag_dye=_dye(rng, pick(rng, ANY_COLOUR)),
        height=float(np.clip(rng.normal(1, 0.045), 0.87, 1.13)),
        width=float(np.clip(rng.normal(1, 0.13), 0.7, 1.35)),
        leg_ratio=float(rng.uniform(0.94, 1.06)),
    )


def describe(person: Person) -> str:
    """Write the caption of a person, in the words of `ccafl.tokens.VOCABULARY`."""
    bald = "bald " if person.hair == "bald" else ""
    wears = [f"a {_cloth(person)} {person.garment}"]
    if person.garment != "dress":
        article = "a " if person.lower == "skirt" else ""
        wears.append(f"{article}{person.lower_dye.name} {person.lower}")
    carries = []
    if person.bag != "none":
        carries.append(f"a {person.bag_dye.name} {person.bag}")
    if person.hair == "cap":
        carries.append(f"a {person.cap_dye.name} cap")
    if person.hair == "long":
        carries.append(f"long {person.hair_dye.name} hair")
    with_what = f" with {' and '.join(carries)}" if carries else ""
    return f"a photo of a {bald}pedestrian in {' and '.join(wears)}{with_what} ."


def pick(rng: np.random.Generator, weights: Mapping[Choice, float]) -> Choice:
    """Draw one key; weights need not sum to one."""
    shares = np.array(list(weights.values()))
    return list(weights)[rng.choice(len(shares), p=shares / shares.sum())]


def _cloth(person: Person) -> str:
    if person.pattern == "plain":
        return person.upper.name
    return f"{person.upper.name} and {person.second.name} {person.pattern}"


def _dye(rng: np.random.Generator, name: str) -> Dye:
    red, green, blue = np.clip(COLOURS[name] + rng.normal(0, 14, 3), 0, 255).astype(int).tolist()
    return Dye(name=name, rgb=(red, green, blue))
