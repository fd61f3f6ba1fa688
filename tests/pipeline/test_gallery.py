"""The gallery as its users see it: enrolling, and keeping house."""

import stat
from pathlib import Path

import numpy as np
import pytest
from gallery_people import DIM, ENCODER, FakeEmbedder, open_gallery, source, template

from pipeline.errors import AlreadyEnrolledError, GalleryError, UnknownNameError, WrongEncoderError
from pipeline.gallery import Added, ClipSource, Forgotten, Gallery
from pipeline.templates import Template


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "gallery.db"


def _people(gallery: Gallery) -> list[tuple[str, int, int]]:
    return [(person.name, person.templates, person.clips) for person in gallery.people()]


def test_what_is_added_is_found_again_later(path: Path) -> None:
    with open_gallery(path) as gallery:
        assert gallery.add("Anna", [template(1), template(2)], source(1)).templates == 2
        added = gallery.add_clip([("Ben", [template(3)], source(2, 1)), ("Cem", [template(4)], source(2, 2))])
        assert added == Added(2, kept={"Ben": 1, "Cem": 1}, dropped={"Ben": 0, "Cem": 0})
    with open_gallery(path, create=False) as gallery:
        assert _people(gallery) == [("Anna", 2, 1), ("Ben", 1, 1), ("Cem", 1, 1)]
        found = gallery.search(np.stack([template(4).embedding, 3 * template(2).embedding]), top=2)
        assert [ranked[0].name for ranked in found] == ["Cem", "Anna"]
        assert [ranked[0].similarity for ranked in found] == pytest.approx([1, 1])
        assert all(len(ranked) == 2 for ranked in found)


def test_of_too_many_templates_the_most_diverse_are_kept_and_the_others_are_gone(path: Path) -> None:
    with open_gallery(path) as gallery, open_gallery(path) as other:
        gallery.add("Ben", [template(500)], source(500))
        seen: list[Template] = []
        for number in range(12):
            new = [template(2 * number, quality=0.5), template(2 * number + 1, quality=0.9 if number == 2 else 0.4)]
            other.search(new[0].embedding[None], top=1)  # an index that must follow
            added = gallery.add("Anna", new, source(number), most=6)
            seen += new
            held = min(6, 2 * number + 2)
            assert added == Added(2, kept={"Anna": held}, dropped={"Anna": 2 if number > 2 else 0})
            assert len(gallery.show("Anna").templates) == held
        qualities = [kept.quality for kept in gallery.show("Anna").templates]
        assert max(qualities) == 0.9  # the best is never let go
        for searched in (gallery, other):
            ranked = searched.search(np.stack([walk.embedding for walk in seen]), top=2)
            similarity = [next(c.similarity for c in found if c.name == "Anna") for found in ranked]
            kept = np.array(similarity) > 1 - 1e-5
            assert kept.sum() == 6
        clips = {kept.content for kept in gallery.show("Anna").templates}
        assert gallery.stats().clips == len(clips) + 1  # nothing is left of the others
        assert gallery.check() == []
    for walk, is_kept in zip(seen, kept, strict=True):
        for trace in (walk.embedding.tobytes()[:16], walk.skeleton.joints.astype(np.float16).tobytes()[-64:]):
            assert (trace in _bytes(path.parent)) == is_kept


def test_too_many_at_once_are_thinned_within_one_clip(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(number) for number in range(5)], source(1))  # no limit
        entries = [("Anna", [template(9)], source(2, 1)), ("Anna", [template(10)], source(2, 2))]
        assert gallery.add_clip(entries, most=3) == Added(2, kept={"Anna": 3}, dropped={"Anna": 4})
        assert gallery.add("Anna", [template(11)], source(3), most=1).kept == {"Anna": 1}
        (only,) = gallery.show("Anna").templates
        assert gallery.holds(only.content) == ["Anna"]
        assert gallery.stats().clips == 1


def test_same_clip_is_refused_by_content_unless_again(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        assert gallery.holds(source(1).content) == ["Anna"]
        assert gallery.holds(source(2).content) == []
        with pytest.raises(AlreadyEnrolledError, match=r"copy\.mp4 is enrolled already, as Anna: use --again"):
            gallery.add_clip([("Ben", [template(2)], source(2)), ("Cem", [template(3)], source(1, 2, "copy.mp4"))])
        assert _people(gallery) == [("Anna", 1, 1)]  # Ben of the refused clip neither
        gallery.add("Anna", [template(2)], source(1, track=2), again=True)
        gallery.add("Anna", [template(3)], source(1, track=1), again=True)  # in place of the first
        assert _people(gallery) == [("Anna", 2, 1)]
        assert gallery.search(template(1).embedding[None], top=1)[0][0].similarity < 0.99
        assert gallery.search(template(3).embedding[None], top=1)[0][0].similarity == pytest.approx(1)


def test_two_tracks_of_one_clip_may_be_one_person(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add_clip([("Anna", [template(1)], source(1, 1)), ("Anna", [template(2)], source(1, 1))], again=True)
        assert _people(gallery) == [("Anna", 2, 1)]


def test_streams_have_no_content_and_are_told_apart_all_the_same(path: Path) -> None:
    stream = ClipSource("rtsp://user:secret@camera/live", "", 1, 0.0, 2.0)
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], stream)
        gallery.add("Anna", [template(2)], stream)
        assert _people(gallery) == [("Anna", 2, 2)]
        assert gallery.show("Anna").templates[0].clip == "rtsp://camera/live"
    assert b"secret" not in path.read_bytes()


def test_show_and_stats_give_what_was_enrolled(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Zoe\u0308", [template(1, quality=0.5), template(2)], source(7, track=3))
        detail = gallery.show("Zo\u00eb")
        first = detail.templates[0]
        assert (detail.name, len(detail.templates)) == ("Zo\u00eb", 2)
        assert (first.clip, first.content, first.track) == ("clip7.mp4", source(7).content, 3)
        assert (first.start, first.end, first.quality) == (0.5, 4.5, 0.5)
        assert (first.frames, first.fps, first.layout) == (30, 15.0, "casia14")
        stats = gallery.stats()
        assert (stats.people, stats.templates, stats.clips) == (1, 2, 1)
        assert (stats.encoder.name, stats.encoder.dim) == (ENCODER.name, DIM)
        assert stats.size >= path.stat().st_size
        assert stats.per_person[0].quality == pytest.approx(0.625)
        assert gallery.check() == []


def test_rename_and_merge(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("hall-1", [template(1)], source(1))
        gallery.add("Ben", [template(2)], source(2))
        with pytest.raises(GalleryError, match="reid gallery merge"):
            gallery.rename("hall-1", "Ben")
        with pytest.raises(UnknownNameError, match="did you mean “hall-1”"):
            gallery.rename("hall-2", "Anna")
        gallery.rename("hall-1", "Anna")
        gallery.rename("Anna", "Anna")
        assert gallery.merge("Anna", into="Ben") == 1
        assert _people(gallery) == [("Ben", 2, 2)]
        with pytest.raises(GalleryError, match="itself"):
            gallery.merge("Ben", into="Ben")
        with pytest.raises(UnknownNameError, match="reid gallery list"):
            gallery.forget("Xx")


def test_templates_that_are_not_sound_leave_nothing_behind(path: Path) -> None:
    good = template(1)
    bad = [
        Template(2 * good.embedding, 0.5, good.skeleton, ENCODER.fingerprint),
        Template(good.embedding[:-1], 0.5, good.skeleton, ENCODER.fingerprint),
        Template(np.full(DIM, np.nan, np.float32), 0.5, good.skeleton, ENCODER.fingerprint),
        Template(good.embedding, 1.5, good.skeleton, ENCODER.fingerprint),
    ]
    with open_gallery(path) as gallery:
        for wrong in bad:
            with pytest.raises(ValueError):
                gallery.add_clip([("Anna", [good], source(1)), ("Ben", [wrong], source(1, 2))])
        with pytest.raises(WrongEncoderError):
            gallery.add("Anna", [template(1, FakeEmbedder(9))], source(1))
        assert gallery.people() == []
        assert gallery.stats().clips == 0


def test_another_encoder_is_refused_with_the_command_that_mends_it(path: Path) -> None:
    other = FakeEmbedder(1, dim=8)
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1), template(2)], source(1))
        gallery.add("Ben", [template(3)], source(2))
    with pytest.raises(WrongEncoderError, match="reid gallery reindex"):
        open_gallery(path, other)
    seen: list[tuple[float, float | None]] = []
    with Gallery.open(path) as gallery:
        assert [person.name for person in gallery.people()] == ["Anna", "Ben"]
        assert gallery.reindex(other, lambda what, done, total: seen.append((done, total))) == 3
    assert seen[-1] == (3, 3)
    with open_gallery(path, other) as gallery:
        found = gallery.search(template(3, other).embedding[None], top=2)[0]
        assert found[0].name == "Ben"
        assert found[0].similarity == pytest.approx(1)
    with pytest.raises(WrongEncoderError):
        open_gallery(path)


def test_failed_reindex_changes_nothing(path: Path) -> None:
    class Broken(FakeEmbedder):
        def embed(self, sequences: list) -> np.ndarray:
            return super().embed(sequences) * np.nan

    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        with pytest.raises(GalleryError, match="nothing was changed"):
            gallery.reindex(Broken(3))
        assert gallery.search(template(1).embedding[None], top=1)[0][0].similarity == pytest.approx(1)


def test_an_encoder_that_wants_longer_stretches_is_told_in_one_line(path: Path) -> None:
    class Longer(FakeEmbedder):
        def embed(self, sequences: list) -> np.ndarray:
            raise ValueError("a track of 30 frames holds no uninterrupted window of 40")

    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        with pytest.raises(GalleryError, match=r"window of 40\): nothing was changed"):
            gallery.reindex(Longer(3))
        assert gallery.search(template(1).embedding[None], top=1)[0][0].similarity == pytest.approx(1)


def test_a_gallery_reindexed_by_another_process_is_neither_searched_nor_added_to(path: Path) -> None:
    with open_gallery(path) as mine:
        mine.add("Anna", [template(1)], source(1))
        mine.search(template(1).embedding[None], top=1)
        with Gallery.open(path) as other:
            other.reindex(FakeEmbedder(1))
        with pytest.raises(WrongEncoderError):
            mine.search(template(1).embedding[None], top=1)
        with pytest.raises(WrongEncoderError):
            mine.add("Ben", [template(2)], source(2))


def test_files_are_their_owners_alone(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert files == {"gallery.db": 0o600, "gallery.db-wal": 0o600, "gallery.db-shm": 0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def _bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_forgetting_leaves_no_byte(path: Path) -> None:
    gone = template(1)
    traces = {
        "name": b"Annabella Forgotten",
        "clip": b"clip1.mp4",
        "content": source(1).content.encode(),
        "embedding": gone.embedding.tobytes()[:16],
        "joints": gone.skeleton.joints.astype(np.float16).tobytes()[-64:],
    }
    with open_gallery(path) as gallery:
        for number in range(6):
            gallery.add(f"other {number}", [template(100 + number)], source(100 + number))
        gallery.add("Annabella Forgotten", [gone], source(1))
        gallery.add("other 3", [template(3)], source(2))
        before = _bytes(path.parent)
        assert [what for what, trace in traces.items() if trace not in before] == []
        assert gallery.forget("Annabella Forgotten") == Forgotten(person=7, templates=1)
        after = _bytes(path.parent)
        assert [what for what, trace in traces.items() if trace in after] == []
        assert template(3).embedding.tobytes()[:16] in after
        assert gallery.holds(source(1).content) == []
        gallery.add("Annabella", [gone], source(1))  # a forgotten clip can be enrolled afresh
    assert gallery_is_sound(path)


def test_forgetting_takes_the_name_from_the_files_of_others(path: Path) -> None:
    with open_gallery(path) as gallery:
        both = [("Jane Doe", [template(1)], source(1, 1, "Jane Doe and Ben.mp4"))]
        both.append(("Ben", [template(2)], source(1, 2, "Jane Doe and Ben.mp4")))
        gallery.add_clip(both)
        gallery.add("Ben", [template(3)], source(2, clip="ben and JANE_DOE.mp4"))
        gallery.add("Ben", [template(4)], source(3, clip="ben and janet.mp4"))
        gallery.forget("Jane Doe")
        assert [each.clip for each in gallery.show("Ben").templates] == ["unnamed", "unnamed", "ben and janet.mp4"]
        assert b"jane doe" not in _bytes(path.parent).lower().replace(b"_", b" ")
        assert gallery.holds(source(1).content) == ["Ben"]
        assert gallery.check() == []


def gallery_is_sound(path: Path) -> bool:
    with Gallery.open(path) as gallery:
        return gallery.check() == []


def test_forgetting_while_another_reads_says_so_and_ends_at_the_next_opening(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.erasing.PATIENCE", 0.05)
    with open_gallery(path) as gallery, open_gallery(path) as reader:
        gallery.add("Annabella", [template(1)], source(1))
        with reader._database.snapshot():
            assert len(reader.people()) == 1
            with pytest.raises(GalleryError, match="another process reads"):
                gallery.forget("Annabella")
        assert gallery.people() == []
        assert b"Annabella" in _bytes(path.parent)
        with Gallery.open(path):
            assert b"Annabella" not in _bytes(path.parent)


def test_renaming_leaves_no_byte_of_the_old_name(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Annabella", [template(1)], source(1))
        gallery.rename("Annabella", "person 1")
        assert b"Annabella" not in _bytes(path.parent)


def test_renaming_and_merging_take_the_old_name_from_files(path: Path) -> None:
    def files(name: str) -> list[str]:
        return [each.clip for each in gallery.show(name).templates]

    with open_gallery(path) as gallery:
        gallery.add("anna_smith", [template(1)], source(1, clip="anna_smith.mp4"))
        gallery.rename("anna_smith", "Anna Smith")  # whose name the file tells as well
        assert files("Anna Smith") == ["anna_smith.mp4"]
        gallery.rename("Anna Smith", "P7")
        gallery.add("hall", [template(2)], source(2, clip="hall.mp4"))
        gallery.add("P7", [template(3)], source(3, clip="P7, again.mp4"))
        assert gallery.merge("hall", into="P7") == 1
        assert files("P7") == ["unnamed", "unnamed", "P7, again.mp4"]
        assert [entry.file for entry in gallery.log() if entry.event == "enrolled"] == [None, None, "P7, again.mp4"]
        held = _bytes(path.parent).lower()
        assert b"anna" not in held
        assert b"hall" not in held
