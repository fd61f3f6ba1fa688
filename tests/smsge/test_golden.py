"""The public implementation's numbers, from every file of reference numbers there is."""

import os
from pathlib import Path

import naive_sge
import numpy as np
import pytest

from smsge.graphs import scale_graphs
from smsge.layouts import LAYOUTS

FOLDER = Path(os.environ.get("SMSGE_GOLDEN", Path(__file__).parents[2] / ".." / "shared" / "golden"))
FILES = sorted(FOLDER.glob("*.npz"))
WITHOUT = pytest.param(
    None, marks=pytest.mark.skip(reason=f"no reference numbers (.npz) in {FOLDER}; set SMSGE_GOLDEN")
)


@pytest.fixture(params=FILES or [WITHOUT], ids=lambda path: path.stem if path else "none")
def arrays(request):
    with np.load(request.param, allow_pickle=False) as file:
        return dict(file)


def test_adjacencies(arrays):
    for graph in scale_graphs(LAYOUTS[naive_sge.layout_of(arrays)]):
        np.testing.assert_array_equal(graph.adjacency, arrays[f"adjacency.{graph.name}"], err_msg=graph.name)


def test_nodes_graph_states_prefixes_and_losses(arrays):
    naive_sge.check(arrays, arrays)


def test_the_naive_reference_agrees_too(arrays):
    for name, value in naive_sge.compute(naive_sge.layout_of(arrays), arrays).items():
        np.testing.assert_allclose(value, arrays[name], rtol=1e-4, atol=1e-4, err_msg=name)
