import numpy as np
import torch

from ccafl.sampler import IdentitySampler

IDENTITIES = np.repeat(np.arange(10), [2, 9, 4, 4, 5, 1, 8, 3, 4, 6])  # images of ten identities


def sampler(seed: int = 0, p: int = 3, k: int = 4) -> IdentitySampler:
    generator = torch.Generator().manual_seed(seed)
    return IdentitySampler(IDENTITIES, p=p, k=k, generator=generator)


def test_a_pass_visits_each_camera_identity_once_with_k_images() -> None:
    batches = sampler()
    labels = np.concatenate([IDENTITIES[batches.next()] for _ in range(4)])
    assert len(labels) == 40
    assert (np.bincount(labels) == 4).all()


def test_the_last_batch_of_a_pass_is_short_and_kept() -> None:
    batches = sampler()
    assert [len(batches.next()) for _ in range(8)] == [12, 12, 12, 4] * 2


def test_images_repeat_only_where_an_identity_has_fewer_than_k() -> None:
    batches = sampler()
    for _ in range(8):
        indices = batches.next().reshape(-1, 4)
        for row in indices:
            has = np.equal(IDENTITIES, IDENTITIES[row[0]]).sum()
            assert len(set(row.tolist())) == 4 if has >= 4 else len(set(row.tolist())) <= has


def test_every_image_comes_up_sooner_or_later() -> None:
    batches = sampler()
    seen = {int(index) for _ in range(100) for index in batches.next()}
    assert seen == set(range(len(IDENTITIES)))


def test_the_order_of_images_in_the_labels_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = np.array([1, 0, 1, 0, 1])
    batches = IdentitySampler(labels, p=2, k=2, generator=generator)
    pairs = batches.next().reshape(-1, 2)
    assert all(labels[a] == labels[b] for a, b in pairs)


def test_a_restored_sampler_goes_on_with_the_same_batches() -> None:
    generator, later = torch.Generator().manual_seed(0), torch.Generator()
    first = IdentitySampler(IDENTITIES, p=3, k=4, generator=generator)
    for _ in range(6):
        first.next()
    state = first.state_dict()
    later.set_state(generator.get_state())
    expected = [first.next() for _ in range(9)]
    other = IdentitySampler(IDENTITIES, p=3, k=4, generator=later)
    other.load_state_dict(state)
    for batch in expected:
        np.testing.assert_array_equal(other.next(), batch)
