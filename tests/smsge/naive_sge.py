"""SM-SGE written twice more for the tests: slowly, in NumPy, straight from the formulas; and as named arrays.

The arrays have the names of the files of reference numbers: `I.W_h`, `fuse.IJ`, `lstm.I.weight_ih_l0`,
`decode.IJ.W1`, `subset.3`, and what comes out: `nodes.I`, `graph.I`, `prefix_embeddings`, `loss.I`. Nothing here is
shared with the code under test but the tables of the layouts.
"""

import numpy as np
import torch

from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.layouts import LAYOUTS
from smsge.reconstruction import Reconstruction

SCALES = "IJPB"
PARTS_TIED = [(5, 6), (5, 8), (6, 7), (8, 9), (5, 4), (4, 2), (4, 0), (2, 3), (1, 0)]
BODIES_TIED = [(2, 0), (2, 1), (2, 3), (2, 4)]
STRUCTURE = {
    "W_h": "lift", "b_h": "lift_bias", "W_p": "project", "u": "query", "w": "key", "c1": "query_bias",
    "c2": "key_bias", "b": "bias",
}  # fmt: skip


def pairs(scales=SCALES):
    return [(a, b) for i, a in enumerate(scales) for b in scales[i:]]


def graph(layout, scale):
    """(list of groups of joints, adjacency) of one scale, read off section 2."""
    skeleton = LAYOUTS[layout]
    J = len(skeleton.joints)
    joint_adjacency = np.zeros((J, J))
    for i, j in skeleton.bones:
        joint_adjacency[i, j] = joint_adjacency[j, i] = 1
    if scale == "J":
        return [[j] for j in range(J)], joint_adjacency
    if scale == "I":
        groups, tied = [[j] for j in range(J)], []
        for i in range(J):
            for j in range(i + 1, J):
                if joint_adjacency[i, j]:
                    tied += [(i, len(groups)), (j, len(groups))]
                    groups.append([i, j])
    else:
        groups, tied = (skeleton.parts, PARTS_TIED) if scale == "P" else (skeleton.bodies, BODIES_TIED)
    adjacency = np.zeros((len(groups), len(groups)))
    for i, j in tied:
        adjacency[i, j] = adjacency[j, i] = 1
    return [list(group) for group in groups], adjacency


def random_arrays(layout, seed=0, clips=2, frames=4, hidden=5, heads=3, width=4):
    """Weights, input and subsets of a small encoder, drawn at random: (f, J, 3) clips far from the origin."""
    rng = np.random.default_rng(seed)
    J = len(LAYOUTS[layout].joints)
    n = {scale: len(graph(layout, scale)[0]) for scale in SCALES}
    arrays = {"x": rng.normal(size=(clips, frames, J, 3)) + 10}
    shapes = {}
    for s in SCALES:
        shapes |= {f"{s}.W_h": (3, width), f"{s}.b_h": (width,), f"{s}.W_p": (heads, width, width)}
        shapes |= {f"{s}.{name}": (heads, width) for name in ("u", "w", "b")}
        shapes |= {f"{s}.{name}": (heads,) for name in ("c1", "c2")}
        for layer, inputs in enumerate((n[s] * width, hidden)):
            shapes[f"lstm.{s}.weight_ih_l{layer}"] = (4 * hidden, inputs)
            shapes[f"lstm.{s}.weight_hh_l{layer}"] = (4 * hidden, hidden)
            shapes[f"lstm.{s}.bias_l{layer}"] = (4 * hidden,)
    for a, b in pairs():
        shapes[f"fuse.{a}{b}"] = (width, width)
        shapes |= {f"decode.{a}{b}.W1": (hidden, hidden), f"decode.{a}{b}.b1": (hidden,)}
        shapes |= {f"decode.{a}{b}.W2": (hidden, 3 * n[b]), f"decode.{a}{b}.b2": (3 * n[b],)}
    arrays |= {name: rng.normal(size=shape) * 0.5 for name, shape in shapes.items()}
    arrays |= {f"subset.{k}": np.sort(rng.permutation(frames)[:k]) for k in range(1, frames + 1)}
    return arrays


def compute(layout, arrays, fusion=1.0):
    """What sections 2 to 5 make of the arrays, loop by loop, in float64; fusion is the paper's lambda."""
    x = arrays["x"] - arrays["x"][:, :, :1]
    clips, frames = x.shape[:2]
    out, v = {}, {}
    for s in SCALES:
        groups, adjacency = graph(layout, s)
        out[f"adjacency.{s}"] = adjacency
        out[f"nodes.{s}"] = np.stack([x[:, :, group].mean(axis=2) for group in groups], axis=2)
        v[s] = np.array([[structural(frame, adjacency, arrays, s) for frame in clip] for clip in out[f"nodes.{s}"]])
    for a in SCALES:
        g = v[a].copy()
        for b in SCALES[SCALES.index(a) :]:
            for clip in range(clips):
                for t in range(frames):
                    g[clip, t] += fusion * collaborative(v[a][clip, t], v[b][clip, t])[1] @ arrays[f"fuse.{a}{b}"]
        out[f"graph.{a}"] = g
    prefixes = [
        np.concatenate([_lstm(out[f"graph.{s}"][:, : k + 1], arrays, s)[:, -1] for s in SCALES], axis=-1)
        for k in range(frames)
    ]
    out["prefix_embeddings"] = np.stack(prefixes, axis=1)
    subsets = [arrays[key] for key in arrays if key.startswith("subset.")]
    for a in SCALES:
        terms = [rebuilding(out, arrays, a, b, subsets) for b in SCALES[SCALES.index(a) :]]
        out[f"loss.{a}"] = np.sum(terms)
    return out


def rebuilding(out, arrays, a, b, subsets):
    """The mean over the subsets of mean |x_hat^b - x^b|, rebuilt from scale a: one term of L_a."""
    losses = []
    for subset in subsets:
        h = _lstm(out[f"graph.{a}"][:, subset], arrays, a)
        W1, b1, W2, b2 = (arrays[f"decode.{a}{b}.{name}"] for name in ("W1", "b1", "W2", "b2"))
        rebuilt = np.maximum(h @ W1 + b1, 0) @ W2 + b2
        losses.append(np.abs(rebuilt - out[f"nodes.{b}"][:, subset].reshape(rebuilt.shape)).mean())
    return np.mean(losses)


def collaborative(a, b):
    """(C, r) between the nodes of one frame at two scales: (n_a, d), (n_b, d) -> (n_a, n_b), (n_a, d)."""
    C = np.zeros((len(a), len(b)))
    for i in range(len(a)):
        C[i] = _softmax(np.array([a[i] @ b[j] for j in range(len(b))]))
    return C, np.array([sum(C[i, j] * b[j] for j in range(len(b))) for i in range(len(a))])


def structural(x, adjacency, arrays, s):
    """v of the nodes (n, 3) of one frame: (n, d)."""
    return np.mean([_elu(aggregate) for aggregate in aggregates(x, adjacency, arrays, s)], axis=0)


def aggregates(x, adjacency, arrays, s):
    """sum_j A_ij z_j + b_p of every head, before the ELU: P times (n, d)."""
    h = x @ arrays[f"{s}.W_h"] + arrays[f"{s}.b_h"]
    heads = []
    for p in range(len(arrays[f"{s}.W_p"])):
        u, w, c1, c2, bias = (arrays[f"{s}.{name}"][p] for name in ("u", "w", "c1", "c2", "b"))
        z = h @ arrays[f"{s}.W_p"][p]
        v = np.zeros_like(z)
        for i in range(len(z)):
            near = [j for j in range(len(z)) if j == i or adjacency[i, j]]
            e = np.array([u @ z[i] + c1 + w @ z[j] + c2 for j in near])
            v[i] = _softmax(np.where(e > 0, e, 0.2 * e)) @ z[near] + bias
        heads.append(v)
    return heads


def _elu(x):
    return np.where(x > 0, x, np.expm1(x))


def _lstm(g, arrays, s):
    """(B, k, n, d) -> (B, k, D_h), two layers, gates in the order i, f, g, o."""
    inputs = g.reshape(*g.shape[:2], -1)
    for layer in (0, 1):
        W, U, bias = (arrays[f"lstm.{s}.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias"))
        h = c = np.zeros((len(inputs), U.shape[1]))
        states = []
        for t in range(inputs.shape[1]):
            i, f, candidate, o = np.split(inputs[:, t] @ W.T + h @ U.T + bias, 4, axis=1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(candidate)
            h = _sigmoid(o) * np.tanh(c)
            states.append(h)
        inputs = np.stack(states, axis=1)
    return inputs


def _softmax(e):
    weights = np.exp(e - e.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def layout_of(arrays):
    """The layout, from the number of joints of `x`."""
    return next(name for name, layout in LAYOUTS.items() if layout.n_joints == arrays["x"].shape[2])


def modules(arrays, fusion=1.0):
    """The encoder and the decoders under test with these weights, all sizes read off the arrays."""
    heads, width = arrays["J.W_p"].shape[:2]
    frames, hidden = arrays["x"].shape[1], arrays["lstm.J.weight_hh_l0"].shape[1]
    config = EncoderConfig(
        layout=layout_of(arrays), frames=frames, hidden=hidden, heads=heads, width=width, fusion=fusion
    )
    encoder, reconstruction = SMSGE(config), Reconstruction(config)
    weights = {
        f"structure.{s}.{theirs}": arrays[f"{s}.{ours}"] for s in SCALES for ours, theirs in STRUCTURE.items()
    } | {f"fusion.mix.{a}{b}": arrays[f"fuse.{a}{b}"] for a, b in pairs()}
    for s in SCALES:
        for layer in (0, 1):
            for name, theirs in (("weight_ih", "weight_ih"), ("weight_hh", "weight_hh"), ("bias", "bias_ih")):
                weights[f"recurrence.{s}.{theirs}_l{layer}"] = arrays[f"lstm.{s}.{name}_l{layer}"]
    encoder.load_state_dict({name: tensor(value) for name, value in weights.items()})
    decoders = {}
    for a, b in pairs():
        for layer, number in ((0, 1), (2, 2)):
            decoders[f"decoders.{a}{b}.{layer}.weight"] = tensor(arrays[f"decode.{a}{b}.W{number}"].T)
            decoders[f"decoders.{a}{b}.{layer}.bias"] = tensor(arrays[f"decode.{a}{b}.b{number}"])
    reconstruction.load_state_dict(decoders)
    return encoder, reconstruction


def tensor(array):
    return torch.tensor(np.asarray(array), dtype=torch.float32)


def check(arrays, expected, fusion=1.0):
    """The code under test, with the weights of `arrays`, gives every number of `expected` to 1e-4."""
    encoder, reconstruction = modules(arrays, fusion)
    x = tensor(arrays["x"])
    with torch.no_grad():
        nodes = encoder.nodes(x)
        states = encoder.graph_states(nodes)
        subsets = [torch.as_tensor(arrays[key]) for key in arrays if key.startswith("subset.")]
        losses = reconstruction.losses(encoder, x, subsets)
        found = {f"nodes.{s}": value for s, value in nodes.items()}
        found |= {f"graph.{s}": value for s, value in states.items()}
        found |= {f"loss.{s}": value for s, value in losses.items()}
        found["prefix_embeddings"] = encoder(x)
    assert sorted(found) == sorted(key for key in expected if key.split(".")[0] in {f.split(".")[0] for f in found})
    for name, value in found.items():
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-4, atol=1e-4, err_msg=name)
