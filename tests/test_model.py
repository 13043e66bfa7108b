import pytest
import torch
from open_clip.model import CLIP
from torch import Tensor

from ccafl.losses import identity_loss
from ccafl.model import (
    BACKBONES,
    Classifier,
    GeM,
    ImageEncoder,
    Prompts,
    TextEncoder,
    build_clip,
    insert_learned,
    pool_mean_query,
    resize_positions,
)
from ccafl.optimiser import Optimiser


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tiny(seed: int = 0) -> CLIP:
    """A tiny CLIP whose residual branches are not silent, as they are right after construction."""
    torch.manual_seed(seed)
    clip = build_clip("tiny", weights="random")
    for name, parameter in clip.named_parameters():
        if name.endswith("bn3.weight"):
            parameter.data.uniform_(0.5, 1.5)
    return clip


def encoder(clip: CLIP, bn_batch: int = 64) -> ImageEncoder:
    return ImageEncoder(clip.visual, grid=(4, 2), image_size=(64, 32), bn_batch=bn_batch)


def pictures(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 64, 32, generator=generator(seed))


def test_an_embedding_is_a_unit_vector_of_the_last_map() -> None:
    encoded = encoder(tiny())(pictures(4), project=False)
    assert encoded.embedding.shape == (4, 512)
    torch.testing.assert_close(encoded.embedding.norm(dim=1), torch.ones(4))


def test_the_joint_embedding_is_clips_own_output() -> None:
    clip = tiny().eval()
    expected = clip.visual(pictures(4))
    joint = encoder(clip).eval()(pictures(4), project=True).joint
    torch.testing.assert_close(joint, expected)


def test_without_projection_the_attention_pool_gets_no_gradient() -> None:
    model = encoder(tiny())
    model(pictures(4), project=False).embedding.sum().backward()
    assert all(parameter.grad is None for parameter in model.visual.attnpool.parameters())
    assert model.visual.conv1.weight.grad is not None


def test_the_pool_of_one_query_equals_the_whole_pool_in_value_and_gradient() -> None:
    pool = tiny().visual.attnpool.double()
    maps = torch.randn(3, 512, 4, 2, dtype=torch.float64, requires_grad=True)
    whole = pool(maps)
    (expected,) = torch.autograd.grad(whole.pow(2).sum(), maps)
    one = pool_mean_query(pool, maps)
    (found,) = torch.autograd.grad(one.pow(2).sum(), maps)
    torch.testing.assert_close(one, whole)
    torch.testing.assert_close(found, expected)


def test_a_long_batch_is_normalised_in_chunks_in_order() -> None:
    chunked, whole = encoder(tiny(), bn_batch=4), encoder(tiny(), bn_batch=64)
    images = pictures(10)
    found = chunked(images, project=True)
    parts = [whole(part, project=True) for part in (images[:4], images[4:8], images[8:])]
    assert torch.equal(found.embedding, torch.cat([part.embedding for part in parts]))
    assert torch.equal(chunked.neck.running_mean, whole.neck.running_mean)  # type: ignore[arg-type]  # a buffer


@pytest.mark.parametrize("count", [5, 9])
def test_a_last_image_joins_the_chunk_before_it_because_it_has_no_statistics_alone(
    count: int,
) -> None:
    chunked, whole = encoder(tiny(), bn_batch=4), encoder(tiny(), bn_batch=64)
    images = pictures(count)
    found = chunked(images, project=True)
    parts = [whole(part, project=True) for part in images.split([4] * (count // 4 - 1) + [5])]
    assert torch.equal(found.embedding, torch.cat([part.embedding for part in parts]))


def test_evaluation_does_not_depend_on_the_batch() -> None:
    model = encoder(tiny(), bn_batch=4).eval()
    together = model(pictures(10), project=False).embedding
    alone = model(pictures(10)[7:8], project=False).embedding
    torch.testing.assert_close(together[7:8], alone)


def test_gem_with_power_one_is_the_mean_and_its_power_learns() -> None:
    maps = torch.rand(2, 5, 4, 2)
    torch.testing.assert_close(GeM(power=1.0)(maps), maps.mean((2, 3)))
    pool = GeM()
    pool(maps).sum().backward()
    assert pool.p.grad is not None
    assert pool.p.grad.abs() > 0


def test_the_mean_token_keeps_its_position_and_a_flat_table_stays_flat() -> None:
    table = torch.cat([torch.full((1, 8), 7.0), torch.full((49, 8), 3.0)])
    found = resize_positions(table, (7, 7), (16, 8))
    assert found.shape == (129, 8)
    assert (found[0] == 7).all()
    torch.testing.assert_close(found[1:], torch.full((128, 8), 3.0))


def test_text_after_the_end_token_does_not_matter() -> None:
    clip = tiny().eval()
    prompt = torch.randn(3, 12, 64, generator=generator())
    padded = torch.cat([prompt, torch.randn(3, 20, 64, generator=generator(1))], dim=1)
    x = clip.transformer(padded + clip.positional_embedding, attn_mask=clip.attn_mask)
    expected = clip.ln_final(x)[:, 11] @ clip.text_projection
    torch.testing.assert_close(TextEncoder(clip)(prompt), expected)


@pytest.mark.parametrize("n_ctx", [4, 5, 6])
def test_learned_tokens_replace_four_positions_after_the_context(n_ctx: int) -> None:
    template = torch.arange(12.0)[:, None]
    learned = -torch.arange(1.0, 9.0).reshape(2, 4, 1)
    found = insert_learned(template, learned, n_ctx=n_ctx)[1, :, 0].tolist()
    expected = [float(position) for position in range(12)]
    expected[n_ctx + 1 : n_ctx + 5] = [-5.0, -6.0, -7.0, -8.0]
    assert found == expected


def test_prompts_learn_and_the_text_tower_does_not() -> None:
    text = TextEncoder(tiny())
    prompts = Prompts(text, "tiny", count=5, n_ctx=4, generator=generator())
    text(prompts(torch.tensor([1, 3]))).sum().backward()
    assert prompts.learned.grad is not None
    touched = prompts.learned.grad.abs().sum((1, 2)) > 0
    assert touched.tolist() == [False, True, False, True, False]
    assert all(parameter.grad is None for parameter in text.parameters())


def test_the_real_backbone_is_built_and_takes_a_step() -> None:
    torch.manual_seed(0)
    clip = build_clip("RN50-quickgelu", weights="random")
    model = ImageEncoder(
        clip.visual, grid=BACKBONES["RN50-quickgelu"].grid, image_size=(256, 128), bn_batch=64
    )
    assert sum(parameter.numel() for parameter in clip.parameters()) == pytest.approx(
        102e6, rel=0.01
    )
    classifier = Classifier(3, model.embedding_size, generator=generator())
    parameters = [*model.named_parameters(), *classifier.named_parameters()]
    optimiser = Optimiser(
        parameters, lr=1e-3, weight_decay=0.0, device=torch.device("cpu"), scale_loss=False
    )
    images, labels = torch.randn(2, 3, 256, 128, generator=generator()), torch.tensor([0, 2])
    before = model.visual.conv1.weight.detach().clone()
    encoded = model(images, project=True)
    assert encoded.embedding.shape == (2, 2048)
    assert encoded.joint.shape == (2, 1024)
    optimiser.step(
        identity_loss(encoded.embedding, classifier.weight, labels) + encoded.joint.sum()
    )
    assert not torch.equal(model.visual.conv1.weight, before)


def test_the_real_text_tower_gives_one_vector_per_prompt() -> None:
    text = TextEncoder(build_clip("RN50-quickgelu", weights="random"))
    prompts = Prompts(text, "RN50-quickgelu", count=2, n_ctx=5, generator=generator())
    assert text(prompts(torch.tensor([0, 1]))).shape == (2, 1024)
