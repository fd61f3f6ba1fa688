"""Long footage at no cost: a clip over and over again, its packets copied as they are."""

from fractions import Fraction
from pathlib import Path

import av


def repeated(clip: Path, out: Path, times: int, fps: float | None = None) -> Path:
    """Writes `clip` `times` times in a row to `out`, at `fps` frames a second, by default its own."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        slower = 1 if fps is None else Fraction(stream.average_rate) / Fraction(fps)
        length = stream.frames * round(1 / (stream.average_rate * stream.time_base))
        for turn in range(times):
            source.seek(0, stream=stream)
            for packet in source.demux(stream):
                if packet.size:
                    packet.pts, packet.dts = (
                        round((turn * length + ticks) * slower) for ticks in (packet.pts, packet.dts)
                    )
                    packet.duration = round(packet.duration * slower)
                    packet.stream = copied
                    target.mux(packet)
    return out
