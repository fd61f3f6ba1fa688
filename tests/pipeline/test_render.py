"""Annotated clips and sheets, on tiny clips made here: what comes out is decoded and looked at."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.drawing import CONNECTIONS, PALETTE, UNKNOWN, Drawn, colour_of, draw, enlargement, label
from pipeline.errors import VideoError
from pipeline.render import annotate, check_out, who_is_who
from pipeline.settings import VideoSettings
from pipeline.skeletons import Extraction
from pipeline.values import PoseTrack
from pipeline.video import open_video
from pipeline.video_writer import VideoWriter

GREY = 90


def _write_clip(path: Path, width: int, height: int, times: list[float]) -> Path:
    with VideoWriter(path, width, height, 25.0) as writer:
        for time in times:
            writer.write(np.full((height, width, 3), GREY, np.uint8), time)
    return path


def _landmarks(box: np.ndarray) -> np.ndarray:
    """(33, 2): spread over the box, so that every line is somewhere else."""
    at = np.linspace(0, 1, 33)
    x = box[0] + (box[2] - box[0]) * (0.5 + 0.5 * np.sin(9 * at))
    return np.stack([x, box[1] + (box[3] - box[1]) * at], axis=1).astype(np.float32)


def _track(
    number: int, frames: list[int], times: list[float], box: tuple[float, ...], size: tuple[int, int]
) -> PoseTrack:
    count = len(frames)
    boxes = np.tile(np.array(box, np.float32), (count, 1))
    return PoseTrack(
        id=number,
        times=np.array(times),
        frames=np.array(frames),
        boxes=boxes,
        image=np.stack([_landmarks(b) for b in boxes]),
        world=np.zeros((count, 33, 3), np.float32),
        visibility=np.full((count, 33), 0.9, np.float32),
        frame_size=size,
        source="clip.mp4",
    )


def _extraction(size: tuple[int, int], times: list[float], tracks: tuple[PoseTrack, ...]) -> Extraction:
    return Extraction("clip.mp4", "0" * 64, size, 25.0, times[-1], len(times), tracks)


def _near(picture: np.ndarray, colour: tuple[int, int, int], within: int = 40) -> np.ndarray:
    distance: np.ndarray = np.abs(picture.astype(int) - np.array(colour)).max(axis=-1)
    return distance <= within


@pytest.mark.parametrize(("width", "height", "scale"), [(160, 120, 4), (1920, 1080, 1)])
def test_annotated_clip_keeps_times_and_shows_the_person(tmp_path: Path, width: int, height: int, scale: int) -> None:
    times = [0.0, 0.04, 0.2, 0.24, 0.5]  # a variable frame rate
    clip = _write_clip(tmp_path / "clip.mp4", width, height, times)
    box = (0.4 * width, 0.2 * height, 0.6 * width, 0.9 * height)
    track = _track(1, [1, 2, 3], times[1:4], box, (width, height))
    picture = tmp_path / "frame.png"
    out = annotate(
        str(clip),
        _extraction((width, height), times, (track,)),
        {1: ("Anna 0.93", PALETTE[1])},
        tmp_path / "out.mp4",
        picture=picture,
    )
    with open_video(out) as video:
        frames = list(video)
    assert [round(frame.time, 3) for frame in frames] == times
    assert frames[0].rgb.shape == (scale * height, scale * width, 3)
    shown = [_near(frame.rgb, PALETTE[1]).sum() for frame in frames]
    assert shown[0] == shown[4] == 0
    assert min(shown[1:4]) > 0.005 * frames[0].rgb[..., 0].size
    # the name's plate lies on the box, and is tall enough to be read
    plate = np.flatnonzero(_near(frames[2].rgb, PALETTE[1]).sum(axis=1) > 0.05 * scale * width)
    assert len(plate) >= 15
    assert cv2.imread(str(picture)).shape == frames[0].rgb.shape


def test_frames_that_were_not_posed_show_people_between_where_they_were_seen(tmp_path: Path) -> None:
    times = [number / 50 for number in range(60)]
    clip = _write_clip(tmp_path / "clip.mp4", 640, 480, times)
    seen = [3, 6, 9, 12, 40, 43]  # the person is gone from frame 12 to frame 40, for longer than is bridged
    track = _track(1, seen, [times[at] for at in seen], (0, 100, 60, 400), (640, 480))
    moved = np.array([8 * at for at in seen], np.float32)
    track.boxes[:, [0, 2]] += moved[:, None]
    track.image[:, :, 0] += moved[:, None]
    settings = VideoSettings(stride=3)
    out = annotate(str(clip), _extraction((640, 480), times, (track,)), {}, tmp_path / "out.mp4", settings=settings)
    with open_video(out, VideoSettings(stride=1)) as video:
        shown = [_near(frame.rgb, UNKNOWN).any(axis=0).nonzero()[0] for frame in video]
    assert len(shown) == 60
    assert [at for at, columns in enumerate(shown) if len(columns)] == [*range(3, 13), *range(40, 44)]
    places = np.array([columns[-1] for columns in shown[3:13]])
    np.testing.assert_allclose(np.diff(places), 8, atol=3)


def test_annotate_refuses_to_destroy_anything(tmp_path: Path) -> None:
    clip = _write_clip(tmp_path / "clip.mp4", 64, 48, [0.0, 0.04])
    before = clip.read_bytes()
    extraction = _extraction((64, 48), [0.0, 0.04], ())
    for overwrite in (False, True):
        with pytest.raises(VideoError, match="is the clip itself"):
            annotate(str(clip), extraction, {}, clip, overwrite=overwrite)
    (tmp_path / "link.mp4").symlink_to(clip)
    with pytest.raises(VideoError, match="is the clip itself"):
        annotate(str(clip), extraction, {}, tmp_path / "link.mp4", overwrite=True)
    (tmp_path / "there.mp4").write_bytes(b"mine")
    with pytest.raises(VideoError, match="exists already"):
        annotate(str(clip), extraction, {}, tmp_path / "there.mp4")
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
    assert clip.read_bytes() == before
    annotate(str(clip), extraction, {}, tmp_path / "there.mp4", overwrite=True)
    assert (tmp_path / "there.mp4").read_bytes() != b"mine"


def test_check_out_refuses_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"must end in \.mp4"):
        check_out("clip.mp4", tmp_path / "out.avi")
    (tmp_path / "file").touch()
    with pytest.raises(VideoError, match="not a folder"):
        check_out("clip.mp4", tmp_path / "file" / "out.mp4")
    check_out("clip.mp4", tmp_path / "new" / "folder" / "out.mp4")


@pytest.mark.parametrize(("source", "why"), [("rtsp://host/1", "live stream"), ("skeletons.npz", "no pictures")])
def test_annotate_says_what_cannot_be_drawn_on(tmp_path: Path, source: str, why: str) -> None:
    with pytest.raises(VideoError, match=why):
        annotate(source, _extraction((64, 48), [0.0], ()), {}, tmp_path / "out.mp4")


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"

    def stop_half_way() -> None:
        with VideoWriter(target, 32, 32, 25.0) as writer:
            writer.write(np.zeros((32, 32, 3), np.uint8), 0.0)
            raise RuntimeError("stopped half-way")

    with pytest.raises(RuntimeError):
        stop_half_way()
    assert list(tmp_path.iterdir()) == []


def test_sheet_shows_every_person_with_a_name(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.08]
    clip = _write_clip(tmp_path / "clip.mp4", 160, 120, times)
    tracks = [
        _track(1, [0, 1], times[:2], (20, 20, 50, 110), (160, 120)),
        _track(2, [2], times[2:], (140, 40, 158, 100), (160, 120)),  # at the edge: the sheet fills up with grey
    ]
    out = who_is_who(str(clip), tracks, {1: "Anna-1", 2: "Anna-2"}, tmp_path / "who.png")
    sheet = cv2.cvtColor(cv2.imread(str(out)), cv2.COLOR_BGR2RGB)
    half = sheet.shape[1] // 2
    assert _near(sheet[:, :half], colour_of(1), 8).sum() > 1000
    assert _near(sheet[:, half:], colour_of(2), 8).sum() > 1000
    assert not _near(sheet[:, :half], colour_of(2), 8).any()


def test_sheet_of_another_clip_is_refused(tmp_path: Path) -> None:
    clip = _write_clip(tmp_path / "clip.mp4", 64, 48, [0.0])
    late = _track(1, [7], [0.3], (10, 5, 30, 40), (64, 48))
    with pytest.raises(VideoError, match="not the clip"):
        who_is_who(str(clip), [late], {}, tmp_path / "who.png")


def test_draw_leaves_the_source_and_hides_unseen_landmarks() -> None:
    rgb = np.full((96, 128, 3), GREY, np.uint8)
    box = np.array([30, 10, 70, 90], np.float32)
    hidden = draw(rgb, [Drawn(box, _landmarks(box), np.zeros(33), "", UNKNOWN)])
    seen = draw(rgb, [Drawn(box, _landmarks(box), np.ones(33), "", UNKNOWN)])
    assert (rgb == GREY).all()
    assert (hidden[20:80, 40:60] == GREY).all()
    assert (seen[20:80, 40:60] != GREY).any()


def test_labels_stay_inside_the_picture() -> None:
    for corner in ((-50, -50), (500, 500)):
        canvas = np.zeros((60, 80, 3), np.uint8)
        label(canvas, "Somebody with a very long name 0.98", corner, (255, 176, 0), 16)
        columns = np.flatnonzero((canvas == (255, 176, 0)).all(axis=-1).any(axis=0))
        assert len(columns) > 40


def test_connections_and_scale() -> None:
    assert {a for pair in CONNECTIONS for a in pair} == set(range(33))
    assert enlargement(160, 120) == 4
    assert enlargement(1920, 1080) == 1
    assert colour_of(1) == colour_of(1 + len(PALETTE))
