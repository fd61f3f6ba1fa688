"""What people filmed alike have in common, how well it is known, and how much more a comparison has to come to for it.

A centre takes it off (`smsge.centring`): that of a gallery as far as those enrolled show it, that of a camera as far as
whoever passed it does. What few people show leaves some of it on, and then strangers look alike.
"""

import math
from typing import NamedTuple

from smsge.centring import PRIOR

ALIKE = 0.55
"""What strangers filmed alike have in common: the cosine of different people is 0.01 to 0.05 where rendered people are
filmed by one kind of camera, and 0.40 to 0.66 in each of five sets of tracks of real ones. A gallery of many shows it,
and its searches take it off (`smsge.centring`); two tracks alone do not, nor does one person."""

FEW = 100
"""People whose centre leaves as much of that as raises a threshold by half a thousandth; more leave less."""


class Common(NamedTuple):
    """What is known of what people filmed alike have in common: how many show it, and how alike they are
    (`smsge.centring.alike_of`), None where nobody looked."""

    people: int
    alike: float | None = None

    def share(self, usual: float) -> float:
        """Of the squared length of their embeddings, in [0, 1]; `usual` counts as one person's, and is all there is
        where nobody looked."""
        known = usual if self.alike is None else (usual + (self.people - 1) * self.alike) / max(self.people, 1)
        return min(1.0, max(0.0, known))

    @property
    def left(self) -> float:
        """What their centre leaves of it, of its length (`smsge.centring.centre_of`)."""
        return PRIOR / (self.people + PRIOR)


def without_centre(threshold: float, usual: float = ALIKE) -> float:
    """What two tracks must come to where no gallery shows what they share, for a threshold of one: the cosine of
    vectors that have `usual` of their squared length in common, and of whose rest the cosine is `threshold`."""
    return about_centres(threshold, Common(0), Common(0), usual)


def about_centres(threshold: float, gallery: Common, probes: Common, usual: float = ALIKE) -> float:
    r"""What a probe must come to about the centre of so few people, for a threshold of vectors that share nothing.

    What everybody filmed so has in common, a share s of their squared length, is taken off but for p of its length
    (`Common.left`), the templates' (g) as far as those enrolled show it, the probe's (c) as far as others whom that
    camera filmed do, who may be the same. Where the cosine of the rest is t, that of all is

    .. math:: \frac{p_g p_c \sqrt{s_g s_c} + t \sqrt{(1 - s_g) (1 - s_c)}}
                   {\sqrt{(p_g^2 s_g + 1 - s_g) (p_c^2 s_c + 1 - s_c)}}

    if both cameras do the same, and less if not; but never is less than t asked for, since they may do nothing at all.
    """
    one, other = gallery.share(usual), probes.share(usual)
    common = gallery.left * probes.left * math.sqrt(one * other)
    rest = threshold * math.sqrt((1 - one) * (1 - other))
    lengths = (gallery.left**2 * one + 1 - one) * (probes.left**2 * other + 1 - other)
    return min(1.0, max(threshold, (common + rest) / math.sqrt(lengths)))
