"""The encoder as a whole: sizes, what it may and may not depend on, and its settings."""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

from smsge.checkpoint import load_checkpoint, save_checkpoint
from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.errors import ConfigError
from smsge.recurrence import Plan, SubsetLSTM

SMALL = EncoderConfig(frames=6, hidden=8, heads=2, width=4)


@pytest.mark.parametrize(
    ("layout", "published"), [("casia14", 3_616_320), ("kinect20", 3_763_776), ("kinect25", 3_886_656)]
)
def test_published_parameter_counts(layout, published):
    encoder = SMSGE(EncoderConfig(layout=layout))
    assert encoder.parameter_count() == published
    assert sum(value.numel() for value in encoder.state_dict().values()) == published


def test_prefixes_in_one_pass_are_the_prefixes_one_at_a_time():
    encoder, x = SMSGE(SMALL), torch.randn(3, 6, 14, 3)
    prefixes = encoder(x)
    assert prefixes.shape == (3, 6, 4 * 8)
    for k in range(1, 7):
        torch.testing.assert_close(prefixes[:, k - 1], encoder(x[:, :k])[:, -1])
    torch.testing.assert_close(encoder.embed(x), prefixes.mean(dim=1))


def test_where_the_person_stands_does_not_matter():
    encoder, x = SMSGE(SMALL), torch.randn(2, 6, 14, 3)
    torch.testing.assert_close(encoder(x + torch.randn(2, 6, 1, 3)), encoder(x), rtol=1e-4, atol=1e-5)


def test_clips_do_not_see_each_other():
    encoder, x = SMSGE(SMALL), torch.randn(5, 6, 14, 3)
    torch.testing.assert_close(encoder(x)[3:4], encoder(x[3:4]))


def test_some_scales_only():
    encoder = SMSGE(EncoderConfig(layout="kinect20", hidden=8, heads=2, width=4, scales=("B", "J")))
    assert encoder.config.scales == ("J", "B")
    assert sorted(encoder.fusion.mix) == ["BB", "JB", "JJ"]
    assert encoder(torch.randn(2, 5, 20, 3)).shape == (2, 5, encoder.config.embedding_size) == (2, 5, 16)


def test_inference_mode_gives_the_same_numbers():
    encoder, x = SMSGE(SMALL), torch.randn(2, 6, 14, 3)
    with torch.inference_mode():
        quick = encoder(x).clone()
    torch.testing.assert_close(quick, encoder(x))


def test_bf16_gives_nearly_the_same_numbers_and_gradients():
    encoder, x = SMSGE(SMALL), torch.randn(2, 6, 14, 3)
    expected = encoder.embed(x)
    with torch.autocast("cpu", torch.bfloat16):
        quick = encoder.embed(x)
    assert torch.cosine_similarity(quick, expected).min() > 0.99
    weights = list(encoder.parameters())
    ours, theirs = (torch.autograd.grad(value.square().sum(), weights) for value in (quick, expected))
    assert all(torch.isfinite(gradient).all() for gradient in ours)
    flat = [torch.cat([gradient.flatten() for gradient in gradients]) for gradients in (ours, theirs)]
    assert torch.cosine_similarity(*flat, dim=0) > 0.99


def _lstm_and_subsets():
    lstm = SubsetLSTM(5, 3).double()
    frames = torch.randn(4, 2, 5, dtype=torch.float64, requires_grad=True)
    return lstm, frames, Plan.of([torch.tensor([2]), torch.tensor([0, 1, 3]), torch.tensor([1, 3])])


def test_plan_lays_subsets_out_step_by_step():
    plan = _lstm_and_subsets()[2]
    assert plan.order.tolist() == [0, 1, 2, 1, 3, 3]
    assert plan.parent.tolist() == [0, 0, 0, 0, 1, 0]
    assert plan.running == (3, 2, 1)
    torch.testing.assert_close(plan.weight, torch.tensor([1 / 9, 1 / 6, 1 / 3, 1 / 9, 1 / 6, 1 / 9]))


SHARING = [torch.tensor(subset) for subset in ([0, 2], [1], [0, 2, 3], [1, 2], [0])]


def test_subsets_that_begin_alike_share_the_beginning():
    plan = Plan.of(SHARING)
    assert plan.order.tolist() == [0, 1, 2, 2, 3]
    assert plan.parent.tolist() == [0, 0, 0, 1, 0]
    assert plan.running == (2, 2, 1)
    weight = [1 / 15 + 1 / 10 + 1 / 5, 1 / 10 + 1 / 5, 1 / 15 + 1 / 10, 1 / 10, 1 / 15]
    torch.testing.assert_close(plan.weight, torch.tensor(weight))


def test_without_sharing_every_subset_has_entries_of_its_own_and_the_same_states():
    alone, shared, (lstm, frames, _) = Plan.laid_out(SHARING, None, share=False), Plan.of(SHARING), _lstm_and_subsets()
    assert alone.running == (5, 3, 1)
    assert alone.order.tolist() == [0, 0, 1, 1, 0, 2, 2, 2, 3]
    assert alone.parent.tolist() == [0] * 5 + [0, 1, 2] + [0]
    states = [torch.einsum("ebh,e->bh", lstm.over(frames, plan), plan.weight.double()) for plan in (alone, shared)]
    torch.testing.assert_close(*states, rtol=1e-6, atol=1e-7)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_plan_for_cudnn_shares_nothing():
    assert Plan.of(SHARING, torch.device("cuda")).running == (5, 3, 1)


def test_written_out_gradient_is_the_gradient():
    lstm, frames, plan = _lstm_and_subsets()
    for each in (plan, Plan.of(SHARING)):
        assert torch.autograd.gradcheck(lambda *_, each=each: lstm.over(frames, each), (frames, *lstm.parameters()))


def test_the_written_out_lstm_is_the_lstm_of_pytorch():
    lstm, frames, _ = _lstm_and_subsets()
    plan = Plan.laid_out(SHARING, None, share=False)
    packed = PackedSequence(frames[plan.order].flatten(0, 1), torch.tensor(plan.running) * 2)
    torch.testing.assert_close(lstm.over(frames, plan).flatten(0, 1), lstm(packed)[0].data)


def test_the_lstm_starts_from_xavier():
    for name, weight in SubsetLSTM(40, 16).named_parameters():
        if "weight" in name:
            limit = (6 / sum(weight.shape)) ** 0.5
            assert 0.95 * limit < weight.abs().max() <= limit


def test_forget_gates_start_open_and_the_second_bias_is_never_trained():
    lstm = SubsetLSTM(5, 3)
    assert lstm.bias_ih_l0.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert not [name for name, _ in lstm.named_parameters() if "bias_hh" in name]
    assert lstm.bias_hh_l1.abs().max() == 0


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"layout": "stick"}, "layout: 'stick'"),
        ({"hidden": 0}, "hidden: must be"),
        ({"frames": 2.5}, "frames: must be"),
        ({"scales": ()}, "scales: must be"),
        ({"scales": ("J", "J")}, "scales: must be"),
        ({"scales": ("J", "X")}, "scales: must be"),
        ({"fusion": float("nan")}, "fusion: must be"),
    ],
)
def test_settings_that_cannot_be_used_are_named(setting, says):
    with pytest.raises(ConfigError, match=says):
        EncoderConfig(**setting)


def test_a_standardised_encoder_sees_z_scores_of_the_frames_it_was_given():
    torch.manual_seed(3)
    frames = torch.randn(500, 14, 3, dtype=torch.float64).float() * torch.linspace(0.1, 2, 14)[:, None] + 5
    encoder = SMSGE(EncoderConfig(layout="casia14", hidden=8, standardised=True))
    encoder.standardise_by(frames)
    seen = encoder.nodes(frames)["J"].numpy()
    centred = frames.numpy() - frames.numpy()[:, :1]
    expected = (centred - centred.mean(axis=0)) / np.maximum(centred.std(axis=0, ddof=1), 0.01 * centred.std(ddof=1))
    assert np.abs(seen - expected).max() < 1e-4
    assert np.abs(seen[:, 1:].std(axis=0) - 1).max() < 0.01
    assert np.abs(seen[:, 0]).max() == 0


def test_standardising_is_kept_with_the_weights_and_counts_no_parameter(tmp_path):
    plain, encoder = (SMSGE(EncoderConfig(hidden=8, standardised=on)) for on in (False, True))
    assert encoder.parameter_count() == plain.parameter_count()
    encoder.standardise_by(torch.randn(50, 14, 3) * 3)
    save_checkpoint(tmp_path / "e.safetensors", encoder)
    assert torch.equal(load_checkpoint(tmp_path / "e.safetensors").model.deviation, encoder.deviation)
