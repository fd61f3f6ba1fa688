"""The contrastive head: embeddings drawn to prototypes of people (supervised) or of clusters (SimMC, unsupervised).

Rao and Miao, "SimMC: Simple Masked Contrastive Learning of Skeleton Representations for Unsupervised Person
Re-Identification", IJCAI 2022 (arXiv 2204.09826), on the features of SM-SGE. Symbols: B clips, F (B, D) the encoder's
embedding, s (B, width) its projection of unit length, p_c the prototype of class c, of unit length.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from smsge.augment import masked, perturbed
from smsge.checkpoint import Checkpoint
from smsge.clips import Clips
from smsge.clustering import pseudo_labels
from smsge.config import PrototypeConfig
from smsge.encoder import SMSGE
from smsge.errors import CheckpointError, DatasetError
from smsge.training import Batch, Objective

HEAD = "head."


class PrototypeHead(nn.Module):
    """s = W2 ReLU(W1 LayerNorm(F) + b1) + b2, scaled to unit length: (B, D) -> (B, width), float32.

    The layer norm is not in SimMC. An encoder's LSTM states are as large as its training left them; normalised, the
    same learning rate serves for any encoder, frozen or not.
    """

    def __init__(self, embedding: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(
            nn.LayerNorm(embedding), nn.Linear(embedding, width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, embeddings: Tensor) -> Tensor:
        return functional.normalize(self.layers(embeddings).float(), dim=1)


def load_head(checkpoint: Checkpoint) -> PrototypeHead | None:
    """The head in an encoder's file, in evaluation mode, or None where the file has none.

    Raises CheckpointError if its tensors are not those that its metadata (`head`: `width`) asks for.
    """
    if "head" not in checkpoint.metadata:
        return None
    tensors = {name.removeprefix(HEAD): t for name, t in checkpoint.tensors.items() if name.startswith(HEAD)}
    try:
        width = int(checkpoint.metadata["head"]["width"])
        if not 0 < width <= max((tensor.numel() for tensor in tensors.values()), default=0):
            raise ValueError("a width that its tensors cannot have")
        with torch.random.fork_rng(devices=[]):  # as for the encoder: loading must not move the seed
            head = PrototypeHead(checkpoint.model.config.embedding_size, width)
        head.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise CheckpointError("the encoder's head is damaged or of another version; get the encoder again") from error
    return head.eval()


class Prototypes(Objective):
    """What both forms share: an encoder, frozen or not, and the head on it.

    spread: (J, 3), the deviation of every coordinate, from joint 0 of its own frame, over the training clips.
    """

    spread: Tensor

    def __init__(self, encoder: SMSGE, config: PrototypeConfig) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(config.fine_tune)
        self.head = PrototypeHead(encoder.config.embedding_size, config.width)
        self.config = config
        self.register_buffer("spread", torch.zeros(encoder.config.skeleton.n_joints, 3))

    def begin_epoch(self, epoch: int, clips: Clips) -> None:
        """`spread`, before the first step."""
        if epoch == 0:
            frames = clips.seen()
            self.spread.copy_((frames - frames[:, :1]).std(dim=0))

    def project(self, clips: Tensor) -> Tensor:
        """(B, f, J, 3) -> s (B, width)."""
        projected: Tensor = self.head(self.encoder.embed(clips))
        return projected

    @torch.no_grad()
    def project_all(self, clips: Clips, batch: int = 256) -> Tensor:
        """s (N, width) of all clips, where the objective is."""
        device = next(self.parameters()).device
        numbers = np.split(np.arange(len(clips)), range(batch, len(clips), batch))
        return torch.cat([self.project(clips.take(which).to(device)) for which in numbers])

    def validation_loss(self, clips: Clips, batch: int) -> float:
        """How well other people are told apart by the means of their other walks: see `leave_one_walk_out`.

        Their labels, where there are any, say how the training goes; they have no part in it.
        """
        s = self.project_all(clips, batch)
        return leave_one_walk_out(s, clips.labels, clips.walks, self.config.tau)

    def _perturbed(self, batch: Batch, generator: torch.Generator) -> Tensor:
        if not self.training:
            return batch.clips
        return perturbed(batch.clips, batch.which, generator, self.config.noise * self.spread, self.config.scale)


class SupervisedPrototypes(Prototypes):
    """Cross-entropy of cosine / tau over one learned centre a person, which begin as the means of the people's s.

    L = -log softmax_c((s . p_c - margin [c = y]) / tau)_y. Means of all clips would have to be made anew at every step;
    learned centres follow them (NormFace, arXiv 1704.06369; with a margin CosFace, arXiv 1801.09414).
    """

    def __init__(self, encoder: SMSGE, people: tuple[str, ...], config: PrototypeConfig) -> None:
        super().__init__(encoder, config)
        if len(people) < 2:
            raise DatasetError("prototypes of people need labelled clips of two people or more")
        self.people = people
        self.centres = nn.Parameter(torch.zeros(len(people), config.width))

    def begin_epoch(self, epoch: int, clips: Clips) -> None:
        """The centres too, before the first step."""
        super().begin_epoch(epoch, clips)
        if epoch == 0:
            s = self.project_all(clips)
            self.centres.copy_(class_means(s, torch.from_numpy(clips.labels).to(s.device), len(self.people)))

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """See the class; in evaluation mode without noise, scale and margin."""
        s = self.project(self._perturbed(batch, generator))
        cosine = s @ functional.normalize(self.centres, dim=1).T
        if self.training and self.config.margin:
            cosine = cosine - self.config.margin * functional.one_hot(batch.labels, len(self.people))
        return functional.cross_entropy(cosine / self.config.tau, batch.labels)

    def validation_loss(self, clips: Clips, batch: int) -> float:
        """`loss` on other walks of the people trained on; the means of their other walks for other people."""
        if clips.identities == self.people:
            return Objective.validation_loss(self, clips, batch)
        return super().validation_loss(clips, batch)


class UnsupervisedPrototypes(Prototypes):
    """SimMC: two masked views of a clip agree, and both come near the centroid of the cluster that the clip is in.

    L = lambda (-cos(s1, sg(s2)) - cos(s2, sg(s1))) / 2 + (1 - lambda) (H(s1) + H(s2)) / 2, where sg stops the gradient
    and H(s) = -log softmax_c(s . p_c / tau)_y. Each epoch all clips, unmasked, are clustered anew (`clustering`); p_c
    is the mean s of cluster c, y a clip's cluster. H is 0 for a clip in no cluster; the mean is over the whole batch.
    """

    pseudo_labels: Tensor
    centroids: Tensor

    def __init__(self, encoder: SMSGE, config: PrototypeConfig) -> None:
        super().__init__(encoder, config)
        self.register_buffer("pseudo_labels", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("centroids", torch.zeros(0, config.width))

    def begin_epoch(self, epoch: int, clips: Clips) -> None:
        """Cluster all clips: `pseudo_labels` (N,), -1 for none, and `centroids` (K, width)."""
        super().begin_epoch(epoch, clips)
        c = self.config
        s = self.project_all(clips)
        labels = torch.from_numpy(pseudo_labels(s.cpu().numpy(), c.k1, c.k2, c.eps, c.min_samples)).to(s.device)
        clustered = labels >= 0
        self.centroids = class_means(s[clustered], labels[clustered], int(labels.max()) + 1)
        self.pseudo_labels = labels

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """See the class."""
        clips = self._perturbed(batch, generator)
        first, second = (self.project(masked(clips, batch.which, generator)) for _ in range(2))
        agreement = -((first * second.detach()).sum(dim=1) + (second * first.detach()).sum(dim=1)).mean() / 2
        if len(self.centroids) == 0:
            return self.config.weight * agreement
        labels = self.pseudo_labels[batch.which.to(self.pseudo_labels.device)]
        logits = torch.cat([first, second]) @ self.centroids.T / self.config.tau
        surprise = functional.cross_entropy(logits, labels.repeat(2), ignore_index=-1, reduction="sum")
        return self.config.weight * agreement + (1 - self.config.weight) * surprise / (2 * len(labels))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in ("pseudo_labels", "centroids"):  # their sizes are those of the last clustering
            if prefix + name in state_dict:
                setattr(self, name, torch.zeros_like(state_dict[prefix + name], device=getattr(self, name).device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def class_means(s: Tensor, labels: Tensor, classes: int) -> Tensor:
    """s (N, W), labels (N,) in 0..classes-1 -> (classes, W): each one's mean, scaled to unit length; 0 for no one's."""
    return functional.normalize(s.new_zeros(classes, s.shape[1]).index_add_(0, labels, s), dim=1)


def leave_one_walk_out(s: Tensor, labels: NDArray[np.int64], walks: NDArray[np.int64], tau: float) -> float:
    """Mean over clips of -log softmax_c(s . p_c / tau)_y, where p_c is person c's mean and, for the clip's own person,
    the mean of all their walks but the clip's. s (N, W) unit length; labels, walks (N,).

    Clips of people with one walk are no probes; their person is still one to be confused with. nan without probes.
    """
    own, walk = (torch.from_numpy(np.unique(values, return_inverse=True)[1]).to(s.device) for values in (labels, walks))
    sums = s.new_zeros(int(own.max()) + 1, s.shape[1]).index_add_(0, own, s)
    walk_sums = s.new_zeros(int(walk.max()) + 1, s.shape[1]).index_add_(0, walk, s)
    owner_of_walk = own.new_zeros(len(walk_sums)).index_copy_(0, walk, own)
    probe = owner_of_walk.bincount()[own] > 1
    cosine = s @ functional.normalize(sums, dim=1).T
    rest = functional.normalize(sums[own] - walk_sums[walk], dim=1)
    cosine[torch.arange(len(s)), own] = (s * rest).sum(dim=1)
    return float(functional.cross_entropy(cosine[probe] / tau, own[probe]))
