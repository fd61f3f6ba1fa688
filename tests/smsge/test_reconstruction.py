"""The self-supervised loss: its subsets, its batching, and that it teaches."""

import pytest
import torch

from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.reconstruction import Reconstruction, draw_subsets

CONFIG = EncoderConfig(frames=6, hidden=8, heads=2, width=4)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_one_subset_a_length_in_time_order():
    subsets = draw_subsets(6, _generator())
    assert [len(subset) for subset in subsets] == [1, 2, 3, 4, 5, 6]
    assert all((subset.diff() > 0).all() and subset[0] >= 0 and subset[-1] < 6 for subset in subsets)


def test_subsets_are_drawn_afresh_and_repeat_with_the_seed():
    generator = _generator()
    first, second = draw_subsets(6, generator), draw_subsets(6, generator)
    assert any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(first, draw_subsets(6, _generator()), strict=True))


def test_sampled_lengths_are_distinct_and_equally_likely():
    generator, counts = _generator(), torch.zeros(7)
    for _ in range(600):
        lengths = [len(subset) for subset in draw_subsets(6, generator, 2)]
        assert len(set(lengths)) == 2
        counts[lengths] += 1
    assert (counts[1:] > 150).all()
    assert (counts[1:] < 250).all()


@pytest.mark.parametrize("lengths", [0, 7])
def test_impossible_numbers_of_lengths(lengths):
    with pytest.raises(ValueError, match="between 1 and the 6 frames"):
        draw_subsets(6, _generator(), lengths)


def test_all_subsets_together_are_the_subsets_one_at_a_time():
    encoder, decoders, x = SMSGE(CONFIG), Reconstruction(CONFIG), torch.randn(3, 6, 14, 3)
    subsets = draw_subsets(6, _generator(), 4)
    together = decoders.losses(encoder, x, subsets)
    alone = [decoders.losses(encoder, x, [subset]) for subset in subsets]
    for scale, loss in together.items():
        torch.testing.assert_close(loss, torch.stack([each[scale] for each in alone]).mean())
    torch.testing.assert_close(decoders.loss(encoder, x, _generator(), 4), sum(together.values()))


def test_ten_decoders_and_the_papers_total():
    config = EncoderConfig(layout="kinect20")
    decoders = Reconstruction(config)
    assert len(decoders.decoders) == 10
    classifier = (1024 + 1) * 1024 + (1024 + 1) * 11
    total = SMSGE(config).parameter_count() + sum(p.numel() for p in decoders.parameters()) + classifier
    assert round(total / 1e6, 2) == 5.58


def test_every_weight_learns_and_the_loss_falls():
    torch.manual_seed(0)
    encoder, decoders, x = SMSGE(CONFIG), Reconstruction(CONFIG), torch.randn(8, 6, 14, 3)
    weights = [*encoder.parameters(), *decoders.parameters()]
    optimiser, generator, losses = torch.optim.Adam(weights, 2e-2), _generator(), []
    for _ in range(30):
        optimiser.zero_grad()
        loss = decoders.loss(encoder, x, generator)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in weights)
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
