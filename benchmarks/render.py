"""How fast walkers are drawn, against how fast they are posed: frames a second of one core, and the ratio.

    python -m benchmarks.render --seconds 4

One walker 180 pixels tall in pictures of 256 x 256, drawn and then posed by the Pose Landmarker, in turns.
"""

import argparse
import time

import numpy as np
import torch

from pipeline.pose import MediaPipePose
from pipeline.synthetic.scene import render
from pipeline.synthetic.skeletons import population_skeletons
from pipeline.synthetic.synthesize import Filming, population_scene
from smsge.layouts import CASIA14


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each clip, at 15 frames a second")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="draws there: cpu or cuda")
    options = parser.parse_args()
    torch.set_num_threads(1)
    filming = Filming(walk="line", seconds=options.seconds, fps=15.0, width=256, height=256, tall=180.0)
    drawn, posed = [], []
    with MediaPipePose() as pose:
        for number in range(options.rounds + 1):
            scene = population_scene(1, number + 1, 1, filming)
            start = time.perf_counter()
            frames = list(render(scene, options.device))
            middle = time.perf_counter()
            for frame in frames:
                pose(frame)
            end = time.perf_counter()
            if number:  # the first round warms up
                drawn.append(len(frames) / (middle - start))
                posed.append(len(frames) / (end - middle))
    ratio = np.array(drawn) / np.array(posed)
    told = [f"{np.median(x):.0f} frames a second ({min(x):.0f}-{max(x):.0f})" for x in (drawn, posed)]
    print(f"drawn {told[0]}, posed {told[1]}, ratio {np.median(ratio):.2f}")
    start = time.perf_counter()
    walked = sum(walk.duration for walk in population_skeletons(1, range(1, 21), 2, CASIA14, 15.0, 8.0))
    print(f"skeletons alone: {walked / (time.perf_counter() - start):.0f} seconds of walking a second")


if __name__ == "__main__":
    main()
