"""The whole path on the sample clips, with the real pose model and the encoder that ships: footage in, names out."""

import json
from pathlib import Path

import numpy as np
import pytest

import pipeline
from pipeline.errors import PoseModelError
from pipeline.joints import joints14
from pipeline.pose_models import resolve_model
from pipeline.skeletons import Extraction, save_skeletons

SAMPLES = Path(__file__).parents[2] / "sample_videos"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Extraction]:
    """What is seen in three of the clips, each read once."""
    try:
        resolve_model()
    except PoseModelError as error:
        pytest.skip(f"the pose model cannot be had: {error}")
    clips = ("people/Alva/loop", "people/Bero/loop", "search/clip_2")
    return {clip: pipeline.extract(SAMPLES / f"{clip}.mp4") for clip in clips}


@pytest.mark.parametrize("clip", ["people/Alva/loop", "search/clip_2"])
def test_the_pose_model_is_near_the_truth(read: dict[str, Extraction], clip: str):
    """Joints in the picture within 5 % of the person's height, in space within 15 cm, and left is left."""
    (track,) = read[clip].tracks
    with np.load(SAMPLES / "truth.npz", allow_pickle=False) as truth:
        times, pixels, camera = (truth[f"{clip}/{key}"] for key in ("times", "pixels", "camera"))
    frames = np.searchsorted(times, track.times - 1e-3)
    assert len(track) > 0.9 * len(times)
    pixels, camera = pixels[0][frames][:, :14], camera[0][frames][:, :14]

    joints = [[0, 7, 8], [11, 12], [12], [14], [16], [11], [13], [15], [24], [26], [28], [23], [25], [27]]
    seen = np.stack([track.image[:, group].mean(axis=1) for group in joints], axis=1)
    tall = np.ptp(pixels[..., 1], axis=1)[:, None]
    flat = np.linalg.norm(seen - pixels, axis=2) / tall
    assert np.median(flat) < 0.05

    guess = joints14(track) * np.array([1.0, -1.0, -1.0])  # back to MediaPipe's axes, y down
    guess, camera = (x - x[:, [8, 11]].mean(axis=1, keepdims=True) for x in (guess, camera))
    scale = np.linalg.norm(camera) / np.linalg.norm(guess)
    assert np.median(np.linalg.norm(guess * scale - camera, axis=2)) < 0.15

    sides = (guess[:, 8] - guess[:, 11]) * (camera[:, 8] - camera[:, 11])
    assert np.mean(sides.sum(axis=1) > 0) > 0.95


def test_a_person_is_found_again_from_footage(read: dict[str, Extraction], tmp_path: Path):
    """Bero, in other clothes and before another camera, is nearer to Bero than to Alva."""
    files = {clip: save_skeletons(tmp_path / f"{clip.replace('/', '_')}.npz", seen) for clip, seen in read.items()}
    with pipeline.open_gallery(tmp_path / "gallery.db") as gallery:
        for name in ("Alva", "Bero"):
            pipeline.enroll([files[f"people/{name}/loop"]], gallery=gallery, name=name)
        (result,) = pipeline.search([files["search/clip_2"]], gallery=gallery)
    document = json.loads(json.dumps(result.json()))
    (track,) = document["tracks"]
    assert [candidate["name"] for candidate in track["candidates"]] == ["Bero", "Alva"]
    assert track["similarity"] == pytest.approx(track["candidates"][0]["similarity"])
