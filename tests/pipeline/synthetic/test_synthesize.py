"""Populations and sample clips on disk."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.synthetic.legs import walk_cycle
from pipeline.synthetic.samples import NAMES, STRANGER, samples
from pipeline.synthetic.synthesize import Filming, population_scene, synthesize, truth_arrays, write_clip

TINY = Filming(walk="both", seconds=0.3, fps=10.0, width=96, height=64, tall=40.0)


def test_a_population_is_a_folder_of_folders_and_is_not_made_twice(tmp_path: Path) -> None:
    told: list[float] = []
    paths = synthesize(
        tmp_path / "out", 2, 1, 3, TINY, truths=tmp_path / "truth", progress=lambda what, done, total: told.append(done)
    )
    assert [str(path.relative_to(tmp_path / "out")) for path in paths] == [
        "person_0001/clip_1.mp4",
        "person_0002/clip_1.mp4",
    ]
    assert told == [0, 1, 2]
    with av.open(str(paths[0])) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3
    assert frames[0].shape == (64, 96, 3)
    with np.load(tmp_path / "truth" / "person_0002_clip_1.npz", allow_pickle=False) as known:
        assert known["world"].shape == (1, 3, 18, 3)
        assert str(known["joints"][0]) == "head"
    before = [path.stat().st_mtime_ns for path in paths]
    synthesize(tmp_path / "out", 2, 1, 3, TINY)
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_a_person_is_the_same_in_every_clip_and_the_day_is_not() -> None:
    first, second = (population_scene(0, 4, clip, TINY).walkers[0] for clip in (1, 2))
    assert first.body == second.body
    assert first.looks == second.looks
    assert first.clothes != second.clothes
    assert first.style.cadence != second.style.cadence
    other = population_scene(0, 5, 1, TINY).walkers[0]
    assert other.body != first.body


@pytest.mark.parametrize(("people", "clips", "workers"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_impossible_numbers_are_refused_in_one_line(tmp_path: Path, people: int, clips: int, workers: int) -> None:
    with pytest.raises(UserError, match="at least 1") as caught:
        synthesize(tmp_path, people, clips, filming=TINY, workers=workers)
    assert "\n" not in str(caught.value)


def test_odd_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="95x64"):
        synthesize(tmp_path, 1, 1, filming=Filming(width=95, height=64))


def test_the_samples_are_what_the_project_promises() -> None:
    clips = {sample.name: sample for sample in samples()}
    assert len(clips) == 13
    enrolled = {name: clips[f"people/{name}/loop"] for name in NAMES}
    searched = {clips[f"search/clip_{number}"].people[0]: clips[f"search/clip_{number}"] for number in range(1, 6)}
    assert set(searched) == set(NAMES)
    assert clips["search/nobody"].scene.walkers == ()
    assert clips["search/stranger"].people == (STRANGER,)
    assert len(clips["search/crossing"].scene.walkers) == 2
    for name in NAMES:
        first, second = enrolled[name].scene, searched[name].scene
        assert first.walkers[0].body == second.walkers[0].body
        assert first.walkers[0].clothes != second.walkers[0].clothes
        turned = abs(np.angle(np.exp(1j * (first.camera.azimuth - second.camera.azimuth))))
        assert turned > np.radians(40)
        assert abs(first.camera.height - second.camera.height) > 0.2
        assert first.background.kind != second.background.kind
        strides = [walk_cycle(one.walkers[0].body, one.walkers[0].style).stride for one in (first, second)]
        assert abs(strides[0] - strides[1]) < 0.15


def test_a_clip_of_nobody_has_no_truth_but_its_times(tmp_path: Path) -> None:
    scene = population_scene(0, 1, 1, TINY)
    known = truth_arrays(write_clip(replace(scene, walkers=()), tmp_path / "empty.mp4"))
    assert known["world"].shape == (0, 3, 18, 3)
    assert (tmp_path / "empty.mp4").exists()
