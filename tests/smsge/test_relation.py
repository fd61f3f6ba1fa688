"""The relations against the formulas in NumPy, for every layout, and what must hold whatever the weights."""

import math

import naive_sge
import numpy as np
import pytest
import torch

from smsge.layouts import LAYOUTS
from smsge.relation import CollaborativeFusion, StructuralRelation

CHAIN = torch.tensor([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]], dtype=torch.bool)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_equations_against_naive_numpy(layout):
    arrays = naive_sge.random_arrays(layout)
    naive_sge.check(arrays, naive_sge.compute(layout, arrays))


@pytest.mark.parametrize("fusion", [0.0, 0.3])
def test_fusion_is_weighted_by_lambda(fusion):
    arrays = naive_sge.random_arrays("kinect20", clips=1, frames=2)
    naive_sge.check(arrays, naive_sge.compute("kinect20", arrays, fusion), fusion)


def _one_scale(scale, heads):
    """(one frame's nodes, adjacency, weights by name, the relation under test with these weights)."""
    arrays = naive_sge.random_arrays("kinect25", frames=1, clips=1, heads=heads)
    groups, adjacency = naive_sge.graph("kinect25", scale)
    x = np.random.default_rng(1).normal(size=(len(groups), 3))
    relation = StructuralRelation(torch.tensor(adjacency).bool(), heads, width=4)
    weights = {ours: naive_sge.tensor(arrays[f"{scale}.{name}"]) for name, ours in naive_sge.STRUCTURE.items()}
    relation.load_state_dict(weights)
    return x, adjacency, arrays, weights, relation


@pytest.mark.parametrize("scale", naive_sge.SCALES)
@torch.no_grad()
def test_each_head_is_its_formula_and_the_mean_comes_after_the_elu(scale):
    x, adjacency, arrays, weights, relation = _one_scale(scale, heads=3)
    aggregates = naive_sge.aggregates(x, adjacency, arrays, scale)
    frame = naive_sge.tensor(x)[None]
    found = []
    for head, aggregate in enumerate(aggregates):
        alone = StructuralRelation(torch.tensor(adjacency).bool(), 1, width=4)
        shared = {"lift", "lift_bias"}
        alone.load_state_dict({n: value if n in shared else value[head : head + 1] for n, value in weights.items()})
        found.append(alone(frame)[0].numpy())
        np.testing.assert_allclose(found[-1], np.where(aggregate > 0, aggregate, np.expm1(aggregate)), atol=1e-5)
    together = relation(frame)[0].numpy()
    np.testing.assert_allclose(together, np.mean(found, axis=0), atol=1e-5)
    mean = np.mean(aggregates, axis=0)
    assert np.abs(together - np.where(mean > 0, mean, np.expm1(mean))).max() > 0.01


@torch.no_grad()
def test_the_weights_of_a_nodes_neighbours_are_positive_and_sum_to_one():
    """With z = 1 for a node and its neighbours the weighted sum is 1, whatever the scores."""
    relation = StructuralRelation(CHAIN, heads=2, width=3)
    relation.lift.zero_(), relation.lift_bias.fill_(1), relation.project.copy_(torch.eye(3).expand(2, 3, 3))
    relation.query_bias.copy_(torch.tensor([3.0, -2.0]))
    torch.testing.assert_close(relation(torch.randn(2, 4, 3)), torch.ones(2, 4, 3))


@pytest.mark.parametrize(("a", "b"), naive_sge.pairs())
@torch.no_grad()
def test_collaborative_relation_of_each_pair(a, b):
    """With W the identity, what is added to v is lambda r; where v^b has independent rows, C follows from r."""
    rng, n = np.random.default_rng(2), {"I": 39, "J": 20, "P": 10, "B": 5}
    v = {name: rng.normal(size=(n[name], 8)) for name in {a, b}}
    fusion = CollaborativeFusion([(a, b)], width=8, weight=0.5)
    fusion.mix[a + b].copy_(torch.eye(8))
    fused = fusion({name: naive_sge.tensor(value)[None] for name, value in v.items()})[a][0].numpy()
    C, r = naive_sge.collaborative(v[a], v[b])
    np.testing.assert_allclose((fused - v[a]) / 0.5, r, atol=1e-5)
    if b == "B":
        np.testing.assert_allclose((fused - v[a]) / 0.5 @ np.linalg.pinv(v[b]), C, atol=1e-5)


def test_all_relations_are_taken_from_the_unfused_states():
    v = {name: torch.randn(2, n, 4) for name, n in (("P", 10), ("B", 5))}
    fusion = CollaborativeFusion([("B", "B"), ("P", "P"), ("P", "B")], width=4, weight=1.0)
    turned = CollaborativeFusion(fusion.pairs[::-1], width=4, weight=1.0)
    turned.load_state_dict(fusion.state_dict())
    torch.testing.assert_close(fusion(v)["P"], turned(v)["P"])


def test_a_node_is_moved_by_its_neighbours_and_by_nobody_else():
    relation = StructuralRelation(CHAIN, heads=2, width=3)
    x = torch.randn(1, 4, 3, requires_grad=True)
    relation(x)[0, 0].sum().backward()
    assert x.grad[0, :2].abs().sum(dim=1).gt(0).all()
    assert x.grad[0, 2:].abs().max() == 0


def test_frames_do_not_see_each_other():
    relation = StructuralRelation(CHAIN, heads=2, width=3)
    x = torch.randn(5, 4, 3)
    torch.testing.assert_close(relation(x)[2:3], relation(x[2:3]))


def test_gradients_of_the_structural_relation():
    relation = StructuralRelation(CHAIN, heads=2, width=3).double()
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(relation, (x,))


def test_fusion_with_weight_zero_changes_nothing():
    v = {"P": torch.randn(2, 10, 4), "B": torch.randn(2, 5, 4)}
    fused = CollaborativeFusion([("P", "P"), ("P", "B"), ("B", "B")], width=4, weight=0.0)(v)
    assert all(torch.equal(fused[name], v[name]) for name in v)


def test_fusion_takes_scores_too_large_for_exp():
    v = {"B": 100 * torch.randn(2, 5, 4)}
    fused = CollaborativeFusion([("B", "B")], width=4, weight=1.0)(v)
    assert torch.isfinite(fused["B"]).all()


def test_initial_weights_are_xaviers_and_zero_biases():
    torch.manual_seed(0)
    relation, fusion = StructuralRelation(CHAIN, heads=64, width=8), CollaborativeFusion([("B", "B")], 8, 1.0)
    sizes = {"lift": (3, 8), "project": (8, 8), "query": (8, 1), "key": (8, 1)}
    weights = dict(relation.named_parameters())
    limits = [(weights[name], math.sqrt(6 / sum(size))) for name, size in sizes.items()]
    for weight, limit in [*limits, (fusion.mix["BB"], math.sqrt(6 / 16))]:
        assert 0.8 * limit < weight.abs().max() <= limit
        assert float(weight.detach().std()) == pytest.approx(limit / math.sqrt(3), rel=0.35)
    assert all(weights[name].abs().max() == 0 for name in weights if "bias" in name)
