"""The four scales of each layout, against what section 2 of the paper says of them."""

import naive_sge
import numpy as np
import pytest

from smsge.graphs import scale_graphs
from smsge.layouts import CASIA14, LAYOUTS


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_sizes_order_and_symmetry(layout):
    graphs = scale_graphs(layout)
    assert [graph.name for graph in graphs] == ["I", "J", "P", "B"]
    assert [graph.n_nodes for graph in graphs] == [2 * layout.n_joints - 1, layout.n_joints, 10, 5]
    for graph in graphs:
        assert graph.pooling.dtype == np.float32
        assert graph.adjacency.dtype == bool
        assert not graph.adjacency.diagonal().any()
        np.testing.assert_array_equal(graph.adjacency, graph.adjacency.T)
        np.testing.assert_allclose(graph.pooling.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_against_the_definition_read_literally(layout):
    for graph in scale_graphs(layout):
        groups, adjacency = naive_sge.graph(layout.name, graph.name)
        np.testing.assert_array_equal(graph.adjacency, adjacency, err_msg=graph.name)
        for row, group in zip(graph.pooling, groups, strict=True):
            assert sorted(np.flatnonzero(row)) == sorted(group)
            np.testing.assert_allclose(row[group], 1 / len(group))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_parts_and_bodies_take_every_joint_once(layout):
    for graph in scale_graphs(layout)[2:]:
        assert ((graph.pooling > 0).sum(axis=0) == 1).all()


def test_hyper_joints_of_casia14():
    hyper = scale_graphs(CASIA14)[0]
    # The second midpoint is that of bone 1-2, the third of 1-5: row 1 of the adjacency comes before row 2.
    assert list(np.flatnonzero(hyper.pooling[14])) == [0, 1]
    assert list(np.flatnonzero(hyper.pooling[16])) == [1, 5]
    assert list(np.flatnonzero(hyper.adjacency[16])) == [1, 5]
    assert hyper.adjacency[:14, :14].sum() == 0
