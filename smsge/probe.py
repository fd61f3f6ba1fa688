"""The paper's classifier protocol: how well a small network that is taught the names reads a frozen encoder.

Section 5 of Rao et al. (arXiv 2107.01903): an MLP on every prefix embedding F_k, logits summed over k. Descriptors by
hand stand beside it, read by an MLP of the same hidden width; they are of the whole clip, so that for them there is
one k. Symbols: N clips, K prefixes, D numbers in each, C people.
"""

import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from smsge.checkpoint import Checkpoint
from smsge.clips import Clips
from smsge.encoder import SMSGE
from smsge.errors import DatasetError
from smsge.evaluation import MAPPED, Row, Table, evenly, table_row
from smsge.matching import matches_of, standardise, statistics
from smsge.methods import BY_HAND, ENCODER
from smsge.protocols import Split
from smsge.samples import Samples
from smsge.schedule import Schedule
from smsge.training import Batch, Objective, Progress, fit

Array = NDArray[np.floating]

SCHEDULE = Schedule(epochs=30, batch=256, learning_rate=2.5e-3, warmup=0, checkpoint_every=50)
"""The paper's rate; its 120 to 200 epochs are more than any data set needed here."""

HELD_OUT = 0.1
"""Share of the training walks that the network is chosen by."""

USUAL = 4096
"""Clips whose prefixes are standardised by, at most."""

HIDDEN = 1024
"""Width of the descriptors' network where there is no encoder to take it from: that of the paper's."""


class Classifier(Objective):
    """W2 ReLU(W1 F_k + b1) + b2 for each k; (B, K, D) -> (B, C), the sum over k.

    Trained by cross-entropy, the mean over clips and k. Of its checkpoints `best` keeps the one with the fewest
    mistakes on the validation clips, of equal ones the last.
    """

    lowest: Tensor

    def __init__(self, size: int, hidden: int, people: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, people))
        self.best = copy.deepcopy(self.layers).requires_grad_(False)
        self.register_buffer("lowest", torch.tensor(float("inf")))

    def forward(self, features: Tensor) -> Tensor:
        """Summed logits of the network as it is now."""
        summed: Tensor = self.layers(features.float()).sum(dim=1)
        return summed

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """See the class; `batch.clips` are features (B, K, D)."""
        logits = self.layers(batch.clips.float())
        return functional.cross_entropy(logits.flatten(0, 1), batch.labels.repeat_interleave(logits.shape[1]))

    def validation_loss(self, clips: Clips, batch: int) -> float:
        """The share of clips that are taken for another person; the best network so far is kept."""
        wrong = float(np.mean(scores(self, clips, batch).argmax(axis=1) != clips.labels))
        if wrong <= float(self.lowest):
            self.lowest.fill_(wrong)
            self.best.load_state_dict(self.layers.state_dict())
        return wrong


def classify(
    split: Split,
    checkpoint: Checkpoint | None,
    frames: int,
    schedule: Schedule = SCHEDULE,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Table:
    """The table of the classifier protocol: descriptors by hand, then the encoder if there is one.

    Walks are cut into clips of `frames` frames that do not overlap. The networks learn from the clips of `split.train`
    but for `HELD_OUT` of its walks, drawn by the schedule's seed, which choose between checkpoints; every clip of
    `split.probe` is then judged once. Ranks are places of the clip's own person among all people trained on, by summed
    logits; a person who was not trained on is a miss. nAUC is the area under the ROC of all (clip, person) logits.

    out: a folder for the runs, one each, which `resume` goes on with; None keeps nothing. Everything runs where
    `checkpoint.model` is. Features are kept in 16 bits: 2 * D bytes for every frame of every clip.

    Raises DatasetError if nobody of the probes was trained on, or there is no clip; as `smsge.training.fit` does.
    """
    train, test = (Samples.of(part, "clip", frames, frames) for part in (split.train, split.probe))
    people = train.clips.identities
    if not set(people) & set(test.clips.identities):
        raise DatasetError(f"{split.name}: trains on none of the people it asks for; a classifier needs them")
    hidden = checkpoint.model.config.embedding_size if checkpoint else HIDDEN
    device = next(checkpoint.model.parameters()).device if checkpoint else torch.device("cpu")
    rows = []
    for method, learnt, asked in _described(train, test, checkpoint, progress):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(schedule.seed)
            classifier = Classifier(learnt.frames.shape[1], hidden, len(people)).to(device)
        settings = {"split": split.name, "method": method, "frames": frames, "hidden": hidden}
        settings["encoder"] = checkpoint.fingerprint if checkpoint else None
        training, validation = learnt.held_out(HELD_OUT, schedule.seed)
        with _folder(out, method) as folder:
            fit(
                classifier, training, validation, schedule, folder, settings, resume=resume,
                progress=_headed(progress, method),
            )  # fmt: skip
        if validation is not None:
            classifier.layers = classifier.best
        rows.append(_row(method, scores(classifier, asked, schedule.batch), test, people, asked))
    return Table(split.name, "classifier", "clip", len(test), len(train), len(rows[0].curves.people), tuple(rows))


def _described(
    train: Samples, test: Samples, checkpoint: Checkpoint | None, progress: Progress | None
) -> Iterator[tuple[str, Clips, Clips]]:
    """Each row's name and the features of training and test clips; descriptors standardised by the training ones."""
    for way, learnt, asked in zip(BY_HAND.ways, BY_HAND.vectors(train), BY_HAND.vectors(test), strict=True):
        z = [standardise(vectors, *statistics(learnt)).astype(np.float32)[:, None] for vectors in (learnt, asked)]
        yield way.name, features_as_clips(train.clips, z[0]), features_as_clips(test.clips, z[1])
    if checkpoint:
        told = _headed(progress, ENCODER)
        features = [prefixes(checkpoint.model, train.clips, samples.clips, progress=told) for samples in (train, test)]
        yield ENCODER, features[0], features[1]


def _headed(progress: Progress | None, method: str) -> Progress | None:
    """The same, told which row it is about."""
    if progress is None:
        return None
    return lambda what, done, total: progress(f"{method}: {what}", done, total)


def prefixes(encoder: SMSGE, usual: Clips, clips: Clips, batch: int = 256, progress: Progress | None = None) -> Clips:
    """Clips of frames -> clips of their prefix embeddings F_1..F_f, float16 on the CPU.

    Standardised by mean and deviation over all k of at most `USUAL` of the clips `usual`: what an MLP can tell is the
    same, but it learns at one rate from any encoder, and small differences outlive 16 bits.
    """
    some = np.concatenate(list(_encoded(encoder, usual.thinned(USUAL), batch)))
    mean, std = statistics(some.reshape(-1, some.shape[2]))
    features = np.empty((len(clips), clips.length, len(mean)), np.float16)
    done = 0
    for block in _encoded(encoder, clips, batch):
        features[done : done + len(block)] = standardise(block, mean, std)
        done += len(block)
        if progress is not None:
            progress("encoding", done, len(clips))
    return features_as_clips(clips, features)


def _encoded(encoder: SMSGE, clips: Clips, batch: int) -> Iterator[NDArray[np.float32]]:
    """(B, f, D) at a time: every prefix embedding of the clips in order."""
    device = next(encoder.parameters()).device
    encoder.eval()
    with torch.inference_mode():
        for which in np.split(np.arange(len(clips)), range(batch, len(clips), batch)):
            yield encoder(clips.take(which).to(device)).float().cpu().numpy()


def features_as_clips(clips: Clips, features: NDArray[Any]) -> Clips:
    """The same clips with features (N, K, D) in place of their frames: `take` gives (B, K, D)."""
    count, length, size = features.shape
    return replace(clips, frames=features.reshape(-1, size), starts=np.arange(count) * length, length=length)


@torch.no_grad()
def scores(classifier: Classifier, clips: Clips, batch: int) -> NDArray[np.float32]:
    """Summed logits (N, C) of clips of features, every one of them."""
    device = classifier.lowest.device
    numbers = np.split(np.arange(len(clips)), range(batch, len(clips), batch))
    return np.concatenate([classifier(clips.take(which).to(device)).float().cpu().numpy() for which in numbers])


def nauc(summed: Array, identities: NDArray[np.str_], people: tuple[str, ...]) -> float:
    """Micro-averaged area under the ROC: of all scores (N, C), each a claim that clip n is person c."""
    truth = identities[:, None] == np.asarray(people)
    return float(roc_auc_score(truth.ravel(), summed.ravel()))


def _row(method: str, summed: Array, test: Samples, people: tuple[str, ...], asked: Clips) -> Row:
    matches = matches_of(summed, test.identities, people)
    shown = evenly(len(asked), MAPPED)
    embedding = asked.take(shown).float().mean(dim=1).numpy()
    area = nauc(summed, test.identities, people)
    return table_row(method, matches, test.identities, np.array(people), embedding, test.identities[shown], area)


@contextmanager
def _folder(out: Path | None, method: str) -> Iterator[Path]:
    if out is not None:
        yield out / method.lower().replace(" ", "-")
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
