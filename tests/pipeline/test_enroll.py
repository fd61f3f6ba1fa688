"""Who is enrolled under which name, what is refused, and that nothing is half done."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import MIDDLE, NARROW, WIDE, ShoulderEncoder, clip, extraction, gallery_at, passes

from pipeline.adding import Entry
from pipeline.enroll import enroll
from pipeline.enrolled import EnrollResult
from pipeline.errors import (
    AlreadyEnrolledError,
    GalleryError,
    NoUsableTrackError,
    SkeletonFileError,
    UserError,
    VideoError,
)
from pipeline.gallery import Added, Gallery
from pipeline.settings import GallerySettings, QualitySettings, Settings
from pipeline.values import PoseTrack

BOTH = ((NARROW, 0, 4), (WIDE, 1, 5))


def names(gallery: Gallery) -> dict[str, int]:
    return {person.name: person.templates for person in gallery.people()}


class Flow:
    """A gallery in a folder of its own, and `enroll` into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gallery = gallery_at(folder / "people.db")

    def enroll(self, *sources: Path | str, **options: object) -> EnrollResult:
        options = {"pictures": self.folder / "pictures", **options}
        return enroll(list(sources), gallery=self.gallery, embedder=ShoulderEncoder(), **options)  # type: ignore[arg-type]


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path)


def test_one_person_takes_the_stem_or_the_name(flow: Flow) -> None:
    a = clip(flow.folder / "anna.npz", (NARROW, 0, 4))
    b = clip(flow.folder / "b.npz", (NARROW, 0, 3))
    result = flow.enroll(a)
    assert (result.names, result.exit_code) == (("anna",), 0)
    (entry,) = result.clips[0].people
    assert (entry.tracks, result.clips[0].notes, result.clips[0].picture) == ((1,), (), None)
    assert entry.seconds == pytest.approx(4, abs=0.1)
    assert 0 < entry.quality <= 1
    flow.enroll(b, name="anna")
    assert names(flow.gallery) == {"anna": 2}


def test_people_never_in_view_together_are_one_who_came_back(flow: Flow) -> None:
    result = flow.enroll(clip(flow.folder / "anna.npz", (NARROW, 0, 2), (NARROW, 3, 5.5)))
    assert names(flow.gallery) == {"anna": 2}
    assert result.clips[0].people[0].tracks == (1, 2)
    assert "tracks 1, 2 are never in view together" in result.clips[0].notes[0]
    assert "unlike" not in result.clips[0].notes[0]
    result = flow.enroll(clip(flow.folder / "mix.npz", (NARROW, 0, 2), (WIDE, 3, 5.5)))
    assert "1 and 2 look unlike" in result.clips[0].notes[0]
    near = replace(NARROW, shoulders=0.34)  # enough in a gallery, 0.9, but what one camera does to both is not off here
    result = flow.enroll(clip(flow.folder / "near.npz", (NARROW, 0, 2), (near, 3, 5.5)))
    assert "1 and 2 look unlike (similarity 0.9" in result.clips[0].notes[0]


def test_no_more_templates_are_kept_than_the_settings_say(flow: Flow) -> None:
    settings = Settings(gallery=GallerySettings(max_templates=2))
    clips = [clip(flow.folder / f"{n}.npz", (stick, 0, 4)) for n, stick in enumerate((NARROW, WIDE, MIDDLE))]
    first, second, third = flow.enroll(*clips, name="anna", settings=settings).clips
    assert [told.people[0].kept for told in (first, second, third)] == [1, 2, 2]
    assert second.notes == ()
    assert third.notes == ("anna: 2 of 3 templates kept, those least alike (gallery.max_templates)",)
    assert third.json()["people"][0]["templates"] == 1
    assert names(flow.gallery) == {"anna": 2}
    flow.enroll(clip(flow.folder / "4.npz", *BOTH), name="anna")
    assert names(flow.gallery) == {"anna": 2, "anna-1": 1, "anna-2": 1}


def test_several_people_are_numbered(flow: Flow) -> None:
    result = flow.enroll(clip(flow.folder / "hall.npz", *BOTH))
    assert names(flow.gallery) == {"hall-1": 1, "hall-2": 1}
    assert "skeletons hold no pictures" in result.clips[0].notes[0]
    flow.enroll(clip(flow.folder / "b.npz", *BOTH), name="hall")
    assert list(names(flow.gallery)) == ["hall-1", "hall-2", "hall-3", "hall-4"]


def test_with_several_people_a_broken_track_is_never_glued(flow: Flow) -> None:
    flow.enroll(clip(flow.folder / "hall.npz", (NARROW, 0, 3), (WIDE, 0, 2), (WIDE, 3.5, 6)))
    assert list(names(flow.gallery)) == ["hall-1", "hall-2", "hall-3"]


def test_a_long_track_overlaps_with_a_short_one_inside_it(flow: Flow) -> None:
    flow.enroll(clip(flow.folder / "hall.npz", (NARROW, 0, 6), (WIDE, 1, 3), (MIDDLE, 4, 6)))
    assert list(names(flow.gallery)) == ["hall-1", "hall-2", "hall-3"]


def test_a_track_is_chosen_and_then_another(flow: Flow) -> None:
    hall = clip(flow.folder / "hall.npz", *BOTH)
    flow.enroll(hall, track=2, name="wim")
    flow.enroll(hall, track=1, name="nan")
    assert names(flow.gallery) == {"nan": 1, "wim": 1}
    with pytest.raises(AlreadyEnrolledError, match=r"track 1 of .*hall\.npz is enrolled already, as nan"):
        flow.enroll(hall, track=1, name="nora")
    with pytest.raises(AlreadyEnrolledError, match="as nan, wim: use --again"):
        flow.enroll(hall)
    with pytest.raises(NoUsableTrackError, match="no track 7: there is 1, 2"):
        flow.enroll(hall, track=7)
    short = clip(flow.folder / "short.npz", (NARROW, 0, 3), (WIDE, 0, 0.5))
    with pytest.raises(NoUsableTrackError, match=r"track 2 of .* is too short"):
        flow.enroll(short, track=2)
    assert names(flow.gallery) == {"nan": 1, "wim": 1}


def test_the_same_clip_is_known_by_content(flow: Flow) -> None:
    flow.enroll(clip(flow.folder / "a.npz", (NARROW, 0, 4), content="one clip"))
    same = clip(flow.folder / "b.npz", (NARROW, 0, 4), content="one clip")
    with pytest.raises(AlreadyEnrolledError, match="as a: use --again"):
        flow.enroll(same)
    flow.enroll(same, name="a", again=True)
    assert names(flow.gallery) == {"a": 1}  # replaced, not doubled


def test_several_people_keep_their_numbers_when_enrolled_again(flow: Flow) -> None:
    hall = clip(flow.folder / "hall.npz", *BOTH)
    flow.enroll(hall)
    flow.enroll(hall, again=True)
    assert names(flow.gallery) == {"hall-1": 1, "hall-2": 1}


def test_who_was_renamed_keeps_the_track_when_it_is_enrolled_again(flow: Flow) -> None:
    hall = clip(flow.folder / "hall.npz", *BOTH)
    flow.enroll(hall)
    flow.gallery.rename("hall-1", "Anna")
    assert flow.enroll(hall, again=True).names == ("Anna", "hall-2")
    assert names(flow.gallery) == {"Anna": 1, "hall-2": 1}
    assert flow.enroll(hall, again=True, track=1).names == ("Anna",)
    assert flow.enroll(hall, again=True, name="yard").names == ("Anna", "hall-2")
    flow.gallery.merge("hall-2", "Anna")
    (entry,) = flow.enroll(hall, again=True).clips[0].people
    assert (entry.name, entry.tracks) == ("Anna", (1, 2))
    assert names(flow.gallery) == {"Anna": 2}


def test_one_person_who_was_renamed_keeps_the_track_unless_told_otherwise(flow: Flow) -> None:
    wim = clip(flow.folder / "wim.npz", (WIDE, 0, 4))
    flow.enroll(wim)
    flow.gallery.rename("wim", "Willem")
    assert flow.enroll(wim, again=True).names == ("Willem",)
    assert names(flow.gallery) == {"Willem": 1}
    assert flow.enroll(wim, again=True, name="Jan").names == ("Jan",)


def test_tracks_that_may_be_one_person_stay_those_of_whom_they_are(flow: Flow) -> None:
    both = clip(flow.folder / "both.npz", (NARROW, 0, 2), (WIDE, 3, 5.5))
    flow.enroll(both, track=2, name="wim")
    assert flow.enroll(both, again=True).names == ("wim",)
    assert names(flow.gallery) == {"wim": 2}
    flow.gallery.forget("wim")
    flow.enroll(both, track=1, name="nan")
    flow.enroll(both, track=2, name="wim")
    result = flow.enroll(both, again=True)
    assert result.names == ("nan", "wim")
    assert not any("taken as one person" in note for note in result.clips[0].notes)
    assert names(flow.gallery) == {"nan": 1, "wim": 1}


def test_nobody_usable_says_what_was_seen_and_what_is_needed(flow: Flow) -> None:
    far = clip(flow.folder / "far.npz", (NARROW, 0, 4), (WIDE, 0, 0.4), scale=20)
    with pytest.raises(NoUsableTrackError) as caught:
        flow.enroll(far)
    said = str(caught.value)
    assert said.startswith(f"no walking person found in 90 frames of {far}: the largest person is 3")
    assert said.endswith(f" px tall, {QualitySettings().min_height:.0f} px are needed")
    with pytest.raises(NoUsableTrackError, match=r"the longest track is too short: 0\.5 s long, \d\.\d+ s are needed"):
        flow.enroll(clip(flow.folder / "short.npz", (NARROW, 0, 0.6)))
    with pytest.raises(NoUsableTrackError, match="nobody was detected"):
        flow.enroll(clip(flow.folder / "empty.npz"))
    assert names(flow.gallery) == {}


def test_refused_tracks_are_told_and_do_not_count(flow: Flow) -> None:
    result = flow.enroll(clip(flow.folder / "anna.npz", (NARROW, 0, 4), (WIDE, 1, 1.5)))
    assert names(flow.gallery) == {"anna": 1}
    ((track, reason),) = result.clips[0].refused
    assert track == 2
    assert reason.startswith("too short: ")


def test_folders_name_people(flow: Flow) -> None:
    people = flow.folder / "people"
    clip(people / "anna" / "1.npz", (NARROW, 0, 4))
    clip(people / "anna" / "2.npz", (NARROW, 0, 3))
    clip(people / "bert" / "1.npz", (WIDE, 0, 4), content="bert 1")
    clip(people / "carl.npz", (MIDDLE, 0, 4))
    with pytest.raises(UserError, match="anna and bert name their people themselves"):
        flow.enroll(people, name="all")
    assert flow.enroll(people).names == ("anna", "bert", "carl")
    assert names(flow.gallery) == {"anna": 2, "bert": 1, "carl": 1}


def test_files_of_one_name_in_several_folders_are_not_one_person_unless_told(flow: Flow) -> None:
    people = flow.folder / "people"
    anna, bert = (clip(people / name / "1.npz", (width, 0, 4)) for name, width in (("anna", NARROW), ("bert", WIDE)))
    clip(people / "anna" / "2.npz", (NARROW, 0, 3))
    for given in ((people / "anna", people / "bert"), (anna, bert)):
        with pytest.raises(UserError, match=r"anna/1\.npz and .*bert/1\.npz would be one person, 1: give"):
            flow.enroll(*given)
    assert names(flow.gallery) == {}
    assert flow.enroll(anna, people / "anna" / "2.npz").names == ("1", "2")
    assert flow.enroll(bert, anna, name="both", again=True).names == ("both",)


def test_one_bad_clip_does_not_stop_the_rest(flow: Flow) -> None:
    good, short = clip(flow.folder / "good.npz", (NARROW, 0, 4)), clip(flow.folder / "short.npz", (WIDE, 0, 0.4))
    (flow.folder / "torn.npz").write_bytes(b"PK torn")
    (flow.folder / "na\nmed.npz").write_bytes(clip(flow.folder / "x.npz", (MIDDLE, 0, 4)).read_bytes())
    rest = [flow.folder / "torn.npz", short, flow.folder / "gone.npz", flow.folder / "na\nmed.npz"]
    result = flow.enroll(*rest[:2], good, *rest[2:])
    assert [entry.error is None for entry in result.clips] == [False, False, True, False, False]
    assert "\n" not in "".join(entry.error or "" for entry in result.clips[:4])
    assert result.exit_code == 1
    assert flow.enroll(*rest).exit_code == 2
    assert names(flow.gallery) == {"good": 1}


def test_a_gallery_that_can_no_longer_be_written_does_not_hide_who_was_enrolled(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [clip(flow.folder / f"{name}.npz", (NARROW, 0, 4)) for name in ("anna", "bert", "carl", "dora")]
    add_clip = flow.gallery.add_clip

    def full(entries: Sequence[Entry], **options: object) -> Added:
        if entries[0][0] == "carl":
            raise GalleryError("the gallery cannot be written: is its disk full?")
        return add_clip(entries, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(flow.gallery, "add_clip", full)
    result = flow.enroll(*clips)
    assert (result.names, result.exit_code) == (("anna", "bert"), 1)
    assert [entry.clip for entry in result.clips] == [str(path) for path in clips]
    assert [entry.error for entry in result.clips] == [
        None,
        None,
        *["the gallery cannot be written: is its disk full?"] * 2,
    ]
    assert names(flow.gallery) == {"anna": 1, "bert": 1}
    with pytest.raises(GalleryError, match="is its disk full"):
        flow.enroll(flow.folder / "gone.npz", clips[2], clips[3])
    assert names(flow.gallery) == {"anna": 1, "bert": 1}


def test_with_one_clip_what_is_wrong_is_raised(flow: Flow) -> None:
    (flow.folder / "torn.npz").write_bytes(b"PK torn")
    with pytest.raises(SkeletonFileError):
        flow.enroll(flow.folder / "torn.npz")
    with pytest.raises(VideoError):
        flow.enroll(flow.folder / "none.mp4")
    with pytest.raises(GalleryError, match="cannot be empty"):
        flow.enroll(clip(flow.folder / " .npz", (NARROW, 0, 4)))


def test_requests_that_make_no_sense(flow: Flow) -> None:
    a, b = clip(flow.folder / "a.npz", (NARROW, 0, 4)), clip(flow.folder / "b.npz", (NARROW, 0, 4))
    with pytest.raises(UserError, match="nothing to enrol"):
        flow.enroll()
    with pytest.raises(UserError, match="--track chooses a person of one clip, 2 were given"):
        flow.enroll(a, b, track=1)
    with pytest.raises(UserError, match="is a stream and has no name"):
        flow.enroll("rtsp://host/door")


def test_a_clip_with_several_people_gets_a_picture(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    video = flow.folder / "hall.mp4"
    video.write_bytes(b"any bytes")
    known = extraction(str(video), passes(*BOTH), "hall.mp4")
    drawn: list[tuple[str, list[int], dict[int, str]]] = []

    def draw(source: str, tracks: list[PoseTrack], names: dict[int, str], out: Path, **_: object) -> Path:
        drawn.append((source, [track.id for track in tracks], names))
        out.write_bytes(b"picture")
        return out

    monkeypatch.setattr(sys.modules["pipeline.probes"].Reader, "_extract", lambda *_: known)
    import pipeline.render

    monkeypatch.setattr(pipeline.render, "who_is_who", draw)
    result = flow.enroll(video)
    assert drawn == [(str(video), [1, 2], {1: "hall-1", 2: "hall-2"})]
    assert result.clips[0].picture == str(flow.folder / "pictures" / "hall-1-who-is-who.png")
    assert Path(result.clips[0].picture).read_bytes() == b"picture"

    def fail(*_: object, **__: object) -> Path:
        raise VideoError("the disk is full")

    monkeypatch.setattr(pipeline.render, "who_is_who", fail)
    result = flow.enroll(video, again=True)
    assert result.clips[0].picture is None
    assert result.clips[0].notes == ("no picture of who is who: the disk is full",)
    assert result.names == ("hall-1", "hall-2")


def test_results_are_shown_and_saved(flow: Flow) -> None:
    result = flow.enroll(clip(flow.folder / "a.npz", (NARROW, 0, 4)), flow.folder / "none.npz")
    assert result.table().row_count == 2
    told = json.loads(result.save(flow.folder / "result.json").read_text())
    assert told == result.json()
    assert list(told) == ["gallery", "encoder", "clips"]
    assert [list(entry) for entry in told["clips"]] == [["clip", "people", "refused", "notes", "picture", "error"]] * 2
    assert list(told["clips"][0]["people"][0]) == ["name", "tracks", "templates", "kept", "seconds", "quality"]
    with pytest.raises(UserError, match="cannot write"):
        result.save(flow.folder / "no" / "where.json")


def test_a_number_taken_by_another_process_in_between_is_left_to_it(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.enroll(clip(flow.folder / "a.npz", *BOTH), name="hall")
    people, asked = flow.gallery.people, []

    def late() -> list[object]:
        """The first answer is from before the other enrolment."""
        asked.append(True)
        return [] if len(asked) == 1 else list(people())

    monkeypatch.setattr(flow.gallery, "people", late)
    flow.enroll(clip(flow.folder / "b.npz", *BOTH), name="hall")
    monkeypatch.undo()
    assert names(flow.gallery) == {"hall-1": 1, "hall-2": 1, "hall-3": 1, "hall-4": 1}
