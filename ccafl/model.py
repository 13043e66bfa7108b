"""CLIP as the method uses it: image tower with GeM and BN neck, text tower with learned prompts.

The classes come from open_clip; this module changes them after the weights are loaded (the state
keys stay those of CLIP): the last residual stage loses its stride, the position table of the
attention pool is resized, and the pool answers for one query only.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from open_clip.model import CLIP
from open_clip.modified_resnet import AttentionPool2d, ModifiedResNet
from torch import Tensor, nn
from torch.nn import functional as F

from ccafl.tokens import VOCABULARY, template_tokens
from ccafl.weights import read_weights

Grid = tuple[int, int]  # rows and columns of a feature map
LEARNED_TOKENS = 4
STRIDE = 16  # pixels per cell of the last map, once the last stage has no stride


@dataclass(frozen=True)
class Backbone:
    """How a CLIP model is built, and the grid its attention pool was trained on."""

    clip: dict[str, Any]  # arguments of open_clip's CLIP
    grid: Grid


BACKBONES = {
    "RN50-quickgelu": Backbone(
        clip={
            "embed_dim": 1024,
            "vision_cfg": {
                "image_size": 224,
                "layers": (3, 4, 6, 3),
                "width": 64,
                "patch_size": None,
            },
            "text_cfg": {
                "context_length": 77,
                "vocab_size": 49408,
                "width": 512,
                "heads": 8,
                "layers": 12,
            },
            "quick_gelu": True,
        },
        grid=(7, 7),
    ),
    "tiny": Backbone(
        clip={
            "embed_dim": 128,
            "vision_cfg": {
                "image_size": 64,
                "layers": (1, 1, 1, 1),
                "width": 16,
                "head_width": 128,
                "patch_size": None,
            },
            "text_cfg": {
                "context_length": 32,
                "vocab_size": len(VOCABULARY),
                "width": 64,
                "heads": 2,
                "layers": 2,
            },
            "quick_gelu": True,
        },
        grid=(4, 2),  # pre-trained on 64x32 pictures without the last stride
    ),
}


def build_clip(backbone: str, *, weights: str) -> CLIP:
    """A CLIP model in fp32 on the CPU with its weights, the last stage already without stride.

    Args:
        backbone: a key of `BACKBONES`.
        weights: as `model.weights` of the config; "random" leaves the initial values, drawn from
            torch's global generator.

    Raises:
        CheckpointError: the weights cannot be read or do not fit the backbone.
    """
    spec = BACKBONES[backbone]
    clip = CLIP(**spec.clip)
    visual = cast(ModifiedResNet, clip.visual)
    remove_last_stride(visual)
    pool = visual.attnpool
    cells = 1 + spec.grid[0] * spec.grid[1]
    if pool.positional_embedding.shape[0] != cells:  # a table open_clip cannot build: not square
        width = pool.positional_embedding.shape[1]
        pool.positional_embedding = nn.Parameter(torch.randn(cells, width) / width**0.5)
    if weights != "random":
        read_weights(clip, weights, backbone)
    return clip


def remove_last_stride(visual: ModifiedResNet) -> None:
    """Let the last residual stage keep the resolution of the one before (stride 16 in all)."""
    block = cast(Any, visual.layer4[0])
    block.avgpool = nn.Identity()
    block.downsample[0] = nn.Identity()


def resize_positions(table: Tensor, before: Grid, after: Grid) -> Tensor:
    """Resize the position table of an attention pool to another grid.

    Args:
        table: (1 + h*w, D); row 0 belongs to the mean token and stays as it is.
        before: grid (h, w) of the table.
        after: grid wanted.

    Returns:
        (1 + H*W, D), bilinear with half-pixel centres, row-major.
    """
    cells = table[1:].T.reshape(1, -1, *before)  # (1, D, h, w)
    cells = F.interpolate(cells, size=after, mode="bilinear", align_corners=False)
    return torch.cat([table[:1], cells.flatten(2)[0].T])  # (1 + H*W, D)


class GeM(nn.Module):
    """Generalised mean pooling with a learned power: (mean of max(x, eps)^p)^(1/p)."""

    def __init__(self, power: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), power))
        self.eps = eps

    def forward(self, maps: Tensor) -> Tensor:
        """Pool (B, D, H, W) maps to (B, D)."""
        # .mean over both axes: the backward pass of adaptive pooling is not deterministic on CUDA
        return maps.clamp(min=self.eps).pow(self.p).mean((2, 3)).pow(1 / self.p)


def pool_mean_query(pool: AttentionPool2d, maps: Tensor) -> Tensor:
    """Output of CLIP's attention pool for its mean token, the only one that is used.

    Args:
        pool: attention pool whose position table has 1 + H*W rows.
        maps: (B, D, H, W).

    Returns:
        (B, E), equal to `pool(maps)` up to rounding, without the other H*W queries.
    """
    tokens = maps.flatten(2).transpose(1, 2)  # (B, H*W, D)
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)  # (B, 1 + H*W, D)
    tokens = tokens + pool.positional_embedding.to(tokens.dtype)

    def heads(values: Tensor) -> Tensor:
        split = values.reshape(*values.shape[:2], pool.num_heads, -1)
        return split.transpose(1, 2)  # (B, heads, rows, d)

    answer = F.scaled_dot_product_attention(
        heads(pool.q_proj(tokens[:, :1])), heads(pool.k_proj(tokens)), heads(pool.v_proj(tokens))
    )
    return cast(Tensor, pool.c_proj(answer.transpose(1, 2).flatten(1)))  # (B, E)


class Encoded(NamedTuple):
    """What the image encoder says about a batch."""

    embedding: Tensor  # (B, D) float32, unit length: what is compared (x)
    # (B, E) float32, not normalised: compared with text; None if not asked for
    joint: Tensor | None


class ImageEncoder(nn.Module):
    """Image tower: last map -> GeM -> BN neck -> unit vector, and the attention pool beside it."""

    def __init__(
        self, visual: ModifiedResNet, *, grid: Grid, image_size: tuple[int, int], bn_batch: int
    ) -> None:
        """Take over CLIP's image tower.

        Args:
            visual: image tower with its weights, its table laid out for `grid`.
            grid: rows and columns the position table was trained on.
            image_size: height and width of the images to come, in pixels.
            bn_batch: images that share batch statistics in training; a longer batch goes through
                in chunks, in order, each updating the running statistics. A last image that
                would be alone joins the chunk before it: one image has no batch statistics.
        """
        super().__init__()
        remove_last_stride(visual)
        target = (image_size[0] // STRIDE, image_size[1] // STRIDE)
        table = resize_positions(visual.attnpool.positional_embedding.detach(), grid, target)
        visual.attnpool.positional_embedding = nn.Parameter(table)
        self.visual = visual
        self.pool = GeM()
        self.neck = nn.BatchNorm1d(table.shape[1])
        self.neck.bias.requires_grad_(False)  # fixed at 0: the neck scales, it does not shift
        self.bn_batch = bn_batch

    @property
    def embedding_size(self) -> int:
        """D, the length of an embedding."""
        return self.neck.num_features

    def forward(self, images: Tensor, *, project: bool) -> Encoded:
        """Encode a batch.

        Args:
            images: (B, 3, H, W) normalised.
            project: whether the attention pool runs too. Where no loss uses it, leave it out: its
                gradient stays None, so its weights get no update at all.
        """
        borders = range(self.bn_batch, len(images) - 1, self.bn_batch) if self.training else ()
        chunks = images.tensor_split(list(borders))
        parts = [self._encode(chunk, project) for chunk in chunks]
        joint = torch.cat([cast(Tensor, part.joint) for part in parts]) if project else None
        return Encoded(torch.cat([part.embedding for part in parts]), joint)

    def _encode(self, images: Tensor, project: bool) -> Encoded:
        visual = self.visual
        maps = visual.stem(images)
        for stage in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            maps = stage(maps)
        embedding = F.normalize(self.neck(self.pool(_at_least_fp32(maps))))
        joint = _at_least_fp32(pool_mean_query(visual.attnpool, maps)) if project else None
        return Encoded(embedding, joint)


def _at_least_fp32(values: Tensor) -> Tensor:
    """Leave the low precision of autocast: pooling and everything after it is fp32 or better."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


class TextEncoder(nn.Module):
    """CLIP's text tower on embedded prompts that end with their end token; frozen."""

    def __init__(self, clip: CLIP) -> None:
        super().__init__()
        self.token_embedding = clip.token_embedding
        self.positional_embedding = clip.positional_embedding
        self.transformer = clip.transformer
        self.ln_final = clip.ln_final
        self.text_projection = cast(nn.Parameter, clip.text_projection)
        self.register_buffer("attn_mask", clip.attn_mask, persistent=False)
        self.attn_mask: Tensor
        self.requires_grad_(False)
        self.eval()

    @property
    def width(self) -> int:
        """Length of a token's embedding."""
        return int(self.positional_embedding.shape[1])

    def forward(self, prompt: Tensor) -> Tensor:
        """Encode prompts.

        Args:
            prompt: (B, L, width) token embeddings, position L-1 the end token. Because the tower
                is causal, nothing after the end token could matter, so it is not run.

        Returns:
            (B, E), not normalised.
        """
        length = prompt.shape[1]
        x = prompt + self.positional_embedding[:length]
        x = self.transformer(x, attn_mask=self.attn_mask[:length, :length])
        x = self.ln_final(x[:, -1])  # (B, width)
        return cast(Tensor, x @ self.text_projection)  # (B, E)


def insert_learned(template: Tensor, learned: Tensor, *, n_ctx: int) -> Tensor:
    """Put learned tokens into a template, over positions n_ctx+1 .. n_ctx+4.

    Args:
        template: (L, W) token embeddings of the template, start token first.
        learned: (B, 4, W).
        n_ctx: tokens kept between the start token and the learned ones. 4 replaces exactly the
            placeholders; 5 and 6 (the authors' values) overwrite "person" and "." as well.

    Returns:
        (B, L, W).
    """
    first, end = n_ctx + 1, n_ctx + 1 + learned.shape[1]
    rows = template.expand(learned.shape[0], -1, -1)
    return torch.cat([rows[:, :first], learned, rows[:, end:]], dim=1)


class Prompts(nn.Module):
    """Four learned tokens for each camera identity, placed in the template sentence."""

    def __init__(
        self,
        text: TextEncoder,
        backbone: str,
        *,
        count: int,
        n_ctx: int,
        generator: torch.Generator,
    ) -> None:
        """Draw the tokens of `count` camera identities from N(0, 0.02^2)."""
        super().__init__()
        ids = torch.tensor(template_tokens(backbone))
        self.register_buffer("template", text.token_embedding(ids).detach(), persistent=False)
        self.template: Tensor
        learned = torch.empty(count, LEARNED_TOKENS, text.width)
        self.learned = nn.Parameter(learned.normal_(0, 0.02, generator=generator))
        self.n_ctx = n_ctx

    def forward(self, camera_identity: Tensor) -> Tensor:
        """Prompts (B, L, width) of camera identities (B,)."""
        return insert_learned(self.template, self.learned[camera_identity], n_ctx=self.n_ctx)


class Classifier(nn.Module):
    """One weight row per camera identity; its rows are normalised where it is used."""

    def __init__(self, count: int, size: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, size))
        nn.init.xavier_uniform_(self.weight, generator=generator)
