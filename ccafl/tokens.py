"""Turn the prompt template and captions into token ids."""

PROMPT = "A photo of a X X X X person."

# open_clip reads a text's output at its largest id, so the end must be the last word.
VOCABULARY: tuple[str, ...] = (
    *(
        "<pad>",
        "a",
        "and",
        "in",
        "of",
        "photo",
        "with",
        "x",
        ".",
        "person",
        "pedestrian",
    ),
    *(
        "black",
        "white",
        "grey",
        "red",
        "orange",
        "yellow",
        "green",
        "teal",
        "blue",
        "navy",
    ),
    *("purple", "pink", "brown", "beige"),
    *("striped", "pinstriped", "checked", "dotted", "two-tone"),
    *("shirt", "jacket", "coat", "dress", "trousers", "shorts", "skirt"),
    *("backpack", "satchel", "handbag", "cap", "hair", "long", "bald"),
    *("<start>", "<end>"),
)

_PAD = VOCABULARY.index("<pad>")
_START = VOCABULARY.index("<start>")
_END = VOCABULARY.index("<end>")
_ID_OF_WORD = {word: i for i, word in enumerate(VOCABULARY) if i not in (_PAD, _START, _END)}


def template_tokens(backbone: str) -> tuple[int, ...]:
    """Give the 12 token ids of `PROMPT`, from start to end, without padding.

    The structure is the same for every backbone: 0 start, 1 a, 2 photo, 3 of, 4 a, 5-8 X,
    9 person, 10 full stop, 11 end.

    Args:
        backbone: "tiny" for the drawn pedestrians' word list, "RN50-quickgelu" for CLIP's own
            byte-pair table of 49,408 tokens.

    Raises:
        ValueError: there is no such backbone.
    """
    if backbone == "tiny":
        return caption_tokens(PROMPT)
    if backbone == "RN50-quickgelu":
        return _clip_tokens(PROMPT)
    raise ValueError(f"No backbone is named {backbone!r}; use 'tiny' or 'RN50-quickgelu'.")


def caption_tokens(text: str) -> tuple[int, ...]:
    """Give the ids of a caption in the tiny word list, from start to end, without padding.

    Capitals do not matter and the full stop is a word. A batch is padded with id 0.

    Raises:
        ValueError: a word is not in `VOCABULARY`.
    """
    words = text.lower().replace(".", " . ").split()
    unknown = [word for word in words if word not in _ID_OF_WORD]
    if unknown:
        raise ValueError(
            f"The caption {text!r} has words outside the tiny vocabulary: {', '.join(unknown)}."
        )
    return (_START, *(_ID_OF_WORD[word] for word in words), _END)


def _clip_tokens(text: str) -> tuple[int, ...]:
    # open_clip loads torch; whoever asks for the tiny word list alone must not pay for that.
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    return (tokenizer.sot_token_id, *tokenizer.encode(text), tokenizer.eot_token_id)
