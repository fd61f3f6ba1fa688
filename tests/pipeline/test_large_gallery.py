"""A gallery large enough for an index on disk: it answers as an exact search does, follows changes, and forgets."""

import sqlite3
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from gallery_people import DIM, ENCODER, open_gallery, source, template

from pipeline.errors import GalleryError
from pipeline.gallery import Gallery
from pipeline.index_file import index_path, read_index
from pipeline.indexing import build_index
from pipeline.templates import Template
from smsge.centring import centre_of, centred

PEOPLE, EACH = 150, 4


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ranking.LARGE", 100)
    monkeypatch.setattr("pipeline.indexing.EXACT", 200)


def walks() -> np.ndarray:
    """(PEOPLE, EACH, DIM) unit vectors, near one another where they are of one person."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(PEOPLE, 1, DIM)) + 0.4 * generator.normal(size=(PEOPLE, EACH, DIM)) + 0.3
    return (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32)


def at(vector: np.ndarray, seed: int = 1) -> Template:
    return Template(vector, 0.5, template(seed).skeleton, ENCODER.fingerprint)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "gallery.db"
    with open_gallery(path) as gallery:
        for number, own in enumerate(walks()):
            gallery.add(f"p{number}", [at(vector) for vector in own], source(number))
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    (tmp_path / "gallery.db").write_bytes(made.read_bytes())
    (tmp_path / "gallery.db").chmod(0o600)
    return tmp_path / "gallery.db"


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look into all cells."""
    monkeypatch.setattr("pipeline.indexing._probes", lambda vectors, centroids, cell: len(centroids))


def naive(path: Path, probe: np.ndarray, top: int, in_memory: bool = False) -> list[tuple[str, float]]:
    """Everybody by their best cosine about the centre, from the rows of the file; in memory the mean counts too."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, embedding FROM templates JOIN people ON people.id = person").fetchall()
    names = [name for name, _ in rows]
    vectors = np.stack([np.frombuffer(embedding, "<f4") for _, embedding in rows])
    centre = centre_of(vectors, names)
    own: dict[str, list[np.ndarray]] = {}
    for name, vector in zip(names, centred(vectors, centre), strict=True):
        own.setdefault(name, []).append(vector)
    asked = centred(probe[None], centre)[0]
    best = {}
    for name, templates in own.items():
        mean = np.mean(templates, axis=0)
        compared = [*templates, mean / np.linalg.norm(mean)] if in_memory else templates
        best[name] = max(float(vector @ asked) for vector in compared)
    return sorted(best.items(), key=lambda item: -item[1])[:top]


def found(gallery: Gallery, probe: np.ndarray, top: int) -> list[tuple[str, float]]:
    return [(one.name, one.similarity) for one in gallery.search(probe[None], top)[0]]


def same(answer: list[tuple[str, float]], expected: list[tuple[str, float]]) -> bool:
    return [name for name, _ in answer] == [name for name, _ in expected] and np.allclose(
        [cosine for _, cosine in answer], [cosine for _, cosine in expected], atol=1e-5
    )


def probes(count: int = 40) -> np.ndarray:
    generator = np.random.default_rng(9)
    vectors = walks()[:count, 0] + 0.1 * generator.normal(size=(count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_it_answers_as_an_exact_search_does(path: Path) -> None:
    hits = total = 0
    with open_gallery(path) as gallery:
        for top in (1, 3, 10):
            for probe in probes():
                answer, expected = found(gallery, probe, top), naive(path, probe, top)
                assert len(answer) == top
                hits += len({name for name, _ in answer} & {name for name, _ in expected})
                total += top
                right = dict(naive(path, probe, PEOPLE))
                # Whoever is found has the exact similarity, of the best of all their templates.
                assert [cosine for _, cosine in answer] == pytest.approx([right[name] for name, _ in answer], abs=1e-5)
                assert [cosine for _, cosine in answer] == sorted((cosine for _, cosine in answer), reverse=True)
        assert {one.templates for one in gallery.search(probes(1), PEOPLE)[0]} == {EACH}
    file = read_index(index_path(path))
    assert 1 < file.probes < len(file.sizes)  # it was not exact
    assert hits / total >= 0.95  # of few templates; benchmarks/index.py has the figure for many


def test_all_people_are_found_whoever_asks_for_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.indexing._probes", lambda vectors, centroids, cell: 1)
    with open_gallery(path) as gallery:
        for top in (PEOPLE, 2 * PEOPLE):
            assert same(found(gallery, probes(1)[0], top), naive(path, probes(1)[0], PEOPLE))


def test_the_best_template_counts_wherever_it_lies(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one cell looked into, a person's best template may lie in another."""
    monkeypatch.setattr("pipeline.indexing._probes", lambda vectors, centroids, cell: 1)
    with open_gallery(path) as gallery:
        for probe in probes():
            right = dict(naive(path, probe, PEOPLE))
            for name, cosine in found(gallery, probe, 5):
                assert cosine == pytest.approx(right[name], abs=1e-5)


def test_the_index_is_kept_and_its_owners_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gallery(path) as gallery:
        before = gallery.stats().size
        first = found(gallery, probes(1)[0], 5)
        assert gallery.stats().size >= before + index_path(path).stat().st_size
    assert stat.S_IMODE(index_path(path).stat().st_mode) == 0o600

    def never(*_: object) -> bool:
        raise AssertionError("it was built again")

    monkeypatch.setattr("pipeline.ranking.build_index", never)
    monkeypatch.setattr("pipeline.ranking.all_embeddings", never)
    with open_gallery(path) as gallery:
        assert found(gallery, probes(1)[0], 5) == first


@pytest.mark.usefixtures("exact")
def test_it_follows_what_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `naive`, but about the centre that it was built about, as long as few people have changed."""
    monkeypatch.setattr("pipeline.ranking.STALE", 1.0)
    monkeypatch.setattr("pipeline.ranking.TOO_STALE", 1.0)
    with open_gallery(path) as gallery, open_gallery(path) as other:
        gallery.search(probes(1), 1)
        centre = read_index(index_path(path)).centre
        monkeypatch.setitem(globals(), "centre_of", lambda *_: centre)
        for change in (
            lambda: other.add("new", [template(1000)], source(1000)),
            lambda: gallery.add("p3", [template(1001)], source(1001)),
            lambda: other.forget("p7"),
            lambda: other.merge("p1", "p2"),
            lambda: other.rename("p5", "renamed"),
            lambda: gallery.add("p9", [template(1002), template(1003)], source(1002), most=2),
            lambda: gallery.forget("new"),
        ):
            change()
            with open_gallery(path) as fresh:
                for probe in [*probes(12), template(1000).embedding, template(1001).embedding]:
                    expected = naive(path, probe, 8)
                    assert same(found(gallery, probe, 8), expected)
                    assert same(found(fresh, probe, 8), expected)
        assert gallery._ranking._builder is None  # none of it was reason to build another
        reranked = gallery.search(probes(3), 5, rerank=True)
        assert all(len(answer) == 5 for answer in reranked)


def test_a_search_goes_on_while_the_index_is_built_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going, on = threading.Event(), threading.Event()

    def slow(*given: object, **named: object) -> bool:
        going.set()
        assert on.wait(30)
        return build_index(*given, **named)  # type: ignore[arg-type]

    with open_gallery(path) as gallery:
        before = found(gallery, probes(1)[0], 5)
        old = read_index(index_path(path)).centre
        monkeypatch.setattr("pipeline.indexing.build_index", slow)
        for number in range(4):
            gallery.add(f"new {number}", [template(2000 + number)], source(2000 + number))
        found(gallery, probes(1)[0], 5)
        assert going.wait(30)
        for number in range(4):  # the old one answers, with those who are new
            assert found(gallery, template(2000 + number).embedding, 1)[0][0] == f"new {number}"
        assert found(gallery, probes(1)[0], 5)[0] == pytest.approx(before[0])
        builder = gallery._ranking._builder
        assert builder is not None
        on.set()
        builder.join(60)
        assert not builder.is_alive()
        assert found(gallery, template(2000).embedding, 1)[0][0] == "new 0"
        assert np.array_equal(gallery._ranking._centre, read_index(index_path(path)).centre)
        assert not np.array_equal(old, gallery._ranking._centre)
        assert same(found(gallery, probes(1)[0], 1), naive(path, probes(1)[0], 1))


def test_closing_ends_what_goes_on_in_the_background(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.search(probes(1), 1)
        for number in range(4):
            gallery.add(f"new {number}", [template(2000 + number)], source(2000 + number))
        gallery.search(probes(1), 1)
        assert gallery._ranking._builder is not None
    assert not [thread for thread in threading.enumerate() if thread.name == "reid-index"]
    assert not list(path.parent.glob("*.part"))


def test_damage_met_in_the_background_is_told(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.search(probes(1), 1)
        for number in range(4):
            gallery.add(f"new {number}", [template(2000 + number)], source(2000 + number))
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE templates SET embedding = ? WHERE id = 1", (b"\xff" * 4 * DIM,))
        gallery.search(probes(1), 1)  # by the index, which is whole
        builder = gallery._ranking._builder
        assert builder is not None
        builder.join(60)
        with pytest.raises(GalleryError, match="damaged"):
            gallery.search(probes(1), 1)


def traces(vectors: np.ndarray, centre: np.ndarray) -> list[bytes]:
    return [vector.tobytes()[8:40] for vector in centred(vectors, centre)]


def test_forgetting_overwrites_a_person_in_the_index(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.search(probes(1), 1)
        centre = read_index(index_path(path)).centre
        whole = index_path(path).read_bytes()
        inode = index_path(path).stat().st_ino
        assert all(trace in whole for trace in traces(walks()[7], centre))
        gallery.forget("p7")
        left = index_path(path).read_bytes()
        assert not any(trace in left for trace in traces(walks()[7], centre))
        assert all(trace in left for trace in traces(walks()[8], centre))
        assert index_path(path).stat().st_ino == inode  # in place, and it is still a sound index
        assert read_index(index_path(path)).erased.sum() == EACH
        names = [name for name, _ in found(gallery, walks()[7, 0], PEOPLE)]
        assert "p7" not in names
        assert len(names) == PEOPLE - 1
    with open_gallery(path) as gallery:
        assert "p7" not in [name for name, _ in found(gallery, walks()[7, 0], PEOPLE)]


def test_templates_that_are_too_many_are_overwritten_too(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.search(probes(1), 1)
        gallery.add("p7", [template(3000)], source(3000), most=1)
    assert read_index(index_path(path)).erased.sum() >= EACH - 1


def test_what_a_killed_process_left_is_overwritten_when_it_is_next_searched(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_gallery(path) as gallery:
        gallery.search(probes(1), 1)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM templates WHERE person = 8")
    with open_gallery(path) as gallery:
        gallery.search(probes(1), 1)
    assert read_index(index_path(path)).erased.sum() == EACH


def test_who_is_forgotten_while_an_index_is_built_is_not_in_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.indexing import _probes

    def meanwhile(*given: np.ndarray) -> int:
        with Gallery.open(path) as other:
            other.forget("p7")
        return _probes(*given)

    monkeypatch.setattr("pipeline.indexing._probes", meanwhile)
    assert build_index(path)
    file = read_index(index_path(path))
    assert file.erased.sum() == EACH
    left = index_path(path).read_bytes()
    assert not any(trace in left for trace in traces(walks()[7], file.centre))


def test_forgetting_removes_what_another_process_was_writing(path: Path) -> None:
    part = path.with_name(f".{path.name}-index.0123456789ab.part")
    part.write_bytes(walks()[7].tobytes())
    with Gallery.open(path) as gallery:
        gallery.forget("p7")
    assert not part.exists()


def test_the_index_of_another_history_is_not_used(path: Path) -> None:
    """A copy brought back, in which somebody else was enrolled under the same numbers."""
    copy = path.read_bytes()
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(4000)], source(4000))
        assert found(gallery, template(4000).embedding, 1)[0][0] == "Anna"
    assert index_path(path).exists()
    path.write_bytes(copy)
    with open_gallery(path) as gallery:
        gallery.add("Ben", [template(4001)], source(4001))
        (first,) = gallery.search(template(4000).embedding[None], 1)[0]
        assert first.similarity < 0.99
        assert found(gallery, template(4001).embedding, 1)[0] == ("Ben", pytest.approx(1))


def test_a_gallery_that_was_embedded_again_gets_another_index(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.search(probes(1), 1)
        gallery.reindex(ENCODER)
        assert same(found(gallery, probes(1)[0], 1), naive(path, probes(1)[0], 1))
    with open_gallery(path) as gallery:
        assert same(found(gallery, probes(1)[0], 1), naive(path, probes(1)[0], 1))


def test_where_no_index_may_be_written_all_is_searched(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gallery(path) as gallery:
        gallery._database.writable = False
        monkeypatch.setattr("pipeline.database.may_write", lambda place: False)
        assert same(found(gallery, probes(1)[0], 5), naive(path, probes(1)[0], 5, in_memory=True))
    assert not index_path(path).exists()
