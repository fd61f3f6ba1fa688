"""The relations against the formulas in NumPy, for every layout, and what must hold whatever the weights."""

import naive_sge
import pytest
import torch

from smsge.layouts import LAYOUTS
from smsge.relation import CollaborativeFusion, StructuralRelation

CHAIN = torch.tensor([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]], dtype=torch.bool)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_equations_against_naive_numpy(layout):
    arrays = naive_sge.random_arrays(layout)
    naive_sge.check(arrays, naive_sge.compute(layout, arrays))


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


def test_initial_weights_are_of_ordinary_size():
    relation = StructuralRelation(CHAIN, heads=8, width=8)
    assert relation.bias.abs().max() == 0
    assert 0.1 < relation.project.std() < 0.6
