"""The self-supervised loss: its subsets, its batching, and that it teaches."""

from dataclasses import replace

import naive_sge
import numpy as np
import pytest
import torch

from smsge.config import EncoderConfig, ReconstructionConfig
from smsge.encoder import SMSGE
from smsge.reconstruction import CPU_BLOCK, Reconstruction, SelfSupervision, draw_subsets
from smsge.training import Batch

CONFIG = EncoderConfig(frames=6, hidden=8, heads=2, width=4)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _batch(x):
    numbers = torch.arange(len(x))
    return Batch(x, torch.zeros_like(numbers), numbers)


def _naive_loss(encoder, decoders, x, subsets, pairs):
    """sum over a of the mean over subsets of the sum over b of mean |x_hat^b - x^b|, one subset after the other."""
    total = 0.0
    for subset in subsets:
        nodes = encoder.nodes(x[:, subset])
        states = encoder.graph_states(nodes)
        for a, b in pairs:
            lstm, (first, _, last) = encoder.recurrence[a], decoders.decoders[a + b]
            hidden = torch.nn.LSTM.forward(lstm, states[a].flatten(2).transpose(0, 1))[0].numpy()
            W1, b1, W2, b2 = (p.numpy() for p in (first.weight, first.bias, last.weight, last.bias))
            rebuilt = np.maximum(hidden @ W1.T + b1, 0) @ W2.T + b2
            wanted = nodes[b].flatten(2).transpose(0, 1).numpy()
            total += np.abs(rebuilt - wanted).mean() / len(subsets)
    return total


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
    objective = SelfSupervision(encoder, ReconstructionConfig(subset_lengths=4))
    objective.reconstruction = decoders
    torch.testing.assert_close(objective.loss(_batch(x), _generator()), sum(together.values()))


ABLATIONS = {
    "the paper's": (CONFIG, ReconstructionConfig(), ["II", "IJ", "IP", "IB", "JJ", "JP", "JB", "PP", "PB", "BB"]),
    "own targets": (CONFIG, ReconstructionConfig(targets="own"), ["II", "JJ", "PP", "BB"]),
    "full sequence": (CONFIG, ReconstructionConfig(subsequences="full", targets="own"), ["II", "JJ", "PP", "BB"]),
    "two scales": (replace(CONFIG, scales=("B", "J")), ReconstructionConfig(), ["JJ", "JB", "BB"]),
    "structure only": (replace(CONFIG, scales=("J",), fusion=0.0), ReconstructionConfig(), ["JJ"]),
}


@pytest.mark.parametrize("name", ABLATIONS)
@torch.no_grad()
def test_the_loss_of_each_ablation_is_its_formula(name):
    config, settings, pairs = ABLATIONS[name]
    torch.manual_seed(0)
    objective, x = SelfSupervision(SMSGE(config), settings), torch.randn(3, 6, 14, 3)
    assert list(objective.reconstruction.decoders) == pairs
    subsets = [torch.arange(6)] if settings.subsequences == "full" else draw_subsets(6, _generator(5))
    expected = _naive_loss(objective.encoder, objective.reconstruction, x, subsets, list(map(tuple, pairs)))
    assert float(objective.loss(_batch(x), _generator(5))) == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_the_loss_of_many_clips_is_their_mean():
    encoder, decoders, x = SMSGE(CONFIG), Reconstruction(CONFIG), torch.randn(2 * CPU_BLOCK + 3, 6, 14, 3)
    subsets = draw_subsets(6, _generator())
    alone = [decoders.losses(encoder, clip[None], subsets) for clip in x]
    for scale, loss in decoders.losses(encoder, x, subsets).items():
        torch.testing.assert_close(loss, torch.stack([each[scale] for each in alone]).mean())


@pytest.mark.parametrize("subsets", [[[0, 1, 2, 3]], [[0, 2], [0, 2, 3], [1], [0]], [[3], [3]]])
@torch.no_grad()
def test_each_of_the_ten_terms_against_naive_numpy(subsets):
    arrays = naive_sge.random_arrays("casia14")
    naive, (encoder, decoders) = naive_sge.compute("casia14", arrays), naive_sge.modules(arrays)
    pairs, x = decoders.pairs, naive_sge.tensor(arrays["x"])
    assert pairs == naive_sge.pairs()
    for a, b in pairs:
        decoders.pairs = [(a, b)]
        found = decoders.losses(encoder, x, [torch.tensor(subset) for subset in subsets])
        expected = naive_sge.rebuilding(naive, arrays, a, b, [np.array(subset) for subset in subsets])
        assert float(found.pop(a)) == pytest.approx(expected, rel=1e-4)
        assert not any(found.values())


def test_decoders_start_from_xavier_and_zero():
    decoders = Reconstruction(EncoderConfig(frames=6, hidden=64))
    sizes = {"I": 81, "J": 42, "P": 30, "B": 15}
    for pair, (first, _, last) in decoders.decoders.items():
        for layer, outputs in ((first, 64), (last, sizes[pair[1]])):
            limit = (6 / (64 + outputs)) ** 0.5
            assert layer.weight.shape == (outputs, 64)
            assert 0.95 * limit < layer.weight.abs().max() <= limit
            assert layer.bias.abs().max() == 0


def test_ten_decoders_and_the_papers_total():
    config = EncoderConfig(layout="kinect20")
    decoders = Reconstruction(config)
    assert len(decoders.decoders) == 10
    classifier = (1024 + 1) * 1024 + (1024 + 1) * 11
    total = SMSGE(config).parameter_count() + sum(p.numel() for p in decoders.parameters()) + classifier
    assert round(total / 1e6, 2) == 5.58


def test_every_weight_learns_and_the_loss_falls():
    torch.manual_seed(0)
    objective, x = SelfSupervision(SMSGE(CONFIG), ReconstructionConfig()), torch.randn(8, 6, 14, 3)
    weights = list(objective.parameters())
    optimiser, generator, losses = torch.optim.Adam(weights, 2e-2), _generator(), []
    for _ in range(30):
        optimiser.zero_grad()
        loss = objective.loss(_batch(x), generator)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in weights)
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_what_is_rebuilt_is_the_truth_where_it_is_known():
    torch.manual_seed(0)
    encoder, decoders = SMSGE(CONFIG), Reconstruction(CONFIG)
    x, truth = torch.randn(5, 6, 14, 3), torch.randn(5, 6, 14, 3)
    subsets = [torch.arange(6), torch.tensor([0, 3])]
    with torch.no_grad():
        found = sum(decoders.losses(encoder, x, subsets, truth).values())
        nodes = encoder.nodes(truth.transpose(0, 1))
        expected = 0.0
        for subset in subsets:
            states = encoder.graph_states(encoder.nodes(x[:, subset]))
            for a, b in decoders.pairs:
                hidden = torch.nn.LSTM.forward(encoder.recurrence[a], states[a].flatten(2).transpose(0, 1))[0]
                rebuilt = decoders.decoders[a + b](hidden)
                expected += (rebuilt - nodes[b][subset].flatten(2)).abs().mean() / len(subsets)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        objective = SelfSupervision(encoder, ReconstructionConfig())
        told = replace(_batch(x), truth=truth)
        assert objective.loss(told, _generator()) != objective.loss(_batch(x), _generator())
