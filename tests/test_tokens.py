import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from ccafl.demo.person import BAGS, COLOURS, GARMENTS, HAIRS, LOWERS, PATTERNS, Dye, describe
from ccafl.demo.person import draw_person as draw
from ccafl.tokens import PROMPT, VOCABULARY, caption_tokens, template_tokens

CONTEXT = 32


def test_the_template_of_clip_is_its_published_byte_pairs() -> None:
    expected = (49406, 320, 1125, 539, 320, 343, 343, 343, 343, 2533, 269, 49407)
    assert template_tokens("RN50-quickgelu") == expected


def test_the_template_of_the_tiny_model_has_the_same_structure() -> None:
    words = [VOCABULARY[i] for i in template_tokens("tiny")]
    assert words == ["<start>", "a", "photo", "of", "a", *"xxxx", "person", ".", "<end>"]


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(ValueError, match="ViT-B-16"):
        template_tokens("ViT-B-16")


def test_capitals_and_a_full_stop_without_space_do_not_matter() -> None:
    assert caption_tokens(PROMPT) == caption_tokens("a photo of a x x x x person .")


@pytest.mark.parametrize("word", ["turban", "<end>", "<pad>"])
def test_words_outside_the_vocabulary_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=word):
        caption_tokens(f"a photo of a red {word} .")


def test_the_vocabulary_has_no_word_twice_and_ends_with_the_end() -> None:
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert caption_tokens("a")[-1] == len(VOCABULARY) - 1  # open_clip reads at the largest id
    assert VOCABULARY[0] == "<pad>"


def test_captions_of_all_combinations_of_attributes_fit_the_text_tower() -> None:
    person = draw(np.random.default_rng(0))
    for pattern, garment, lower, hair, bag in product(PATTERNS, GARMENTS, LOWERS, HAIRS, BAGS):
        worn = replace(person, pattern=pattern, garment=garment, lower=lower, hair=hair, bag=bag)
        assert len(caption_tokens(describe(worn))) <= CONTEXT


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_can_be_said(colour: str) -> None:
    person = replace(draw(np.random.default_rng(0)), upper=Dye(name=colour, rgb=(0, 0, 0)))
    assert VOCABULARY.index(colour) in caption_tokens(describe(person))


def test_the_tiny_word_list_loads_no_torch() -> None:
    code = (
        "import sys, ccafl.tokens, ccafl.demo; ccafl.tokens.template_tokens('tiny');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
