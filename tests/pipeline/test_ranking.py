"""Who is found in a gallery, and in which order."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from gallery_people import DIM, ENCODER, FakeEmbedder, open_gallery, source, template

from pipeline.errors import GalleryError
from pipeline.gallery import Gallery
from pipeline.ranking import VectorIndex, faiss_index
from pipeline.templates import Template
from smsge.centring import alike_of, centre_of, centred


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "gallery.db"


def naive(own: dict[str, list[Template]], probe: np.ndarray) -> dict[str, float]:
    """Everybody's similarity to a unit vector (D,)."""
    vectors = np.stack([kept.embedding for templates in own.values() for kept in templates])
    people = [name for name, templates in own.items() for _ in templates]
    centre = centre_of(vectors, people)
    about, asked = centred(vectors, centre), centred(probe[None], centre)[0]
    best = {}
    for name in own:
        templates = about[[person == name for person in people]]
        mean = templates.mean(axis=0) / np.linalg.norm(templates.mean(axis=0))
        best[name] = float(max((templates @ asked).max(), mean @ asked))
    return best


def test_search_ranks_people_by_their_best_template_or_the_mean_of_all(path: Path) -> None:
    rng = np.random.default_rng(5)
    own: dict[str, list[Template]] = {}
    with open_gallery(path) as gallery:
        # One person with far more templates than the rest must not crowd the others out.
        for number, (name, count) in enumerate([("many", 40), ("a", 1), ("b", 3), ("c", 2)]):
            own[name] = [template(100 * number + i) for i in range(count)]
            gallery.add(name, own[name], source(number))
        probes = np.concatenate([rng.normal(size=(20, DIM)), [own["many"][0].embedding]]).astype(np.float32)
        probes /= np.linalg.norm(probes, axis=1, keepdims=True)
        for top in (1, 2, 3, 4, 9):
            for probe, ranked in zip(probes, gallery.search(probes, top), strict=True):
                best = naive(own, probe)
                expected = sorted(best.items(), key=lambda item: -item[1])[:top]
                assert [c.name for c in ranked] == [name for name, _ in expected]
                assert [c.similarity for c in ranked] == pytest.approx([s for _, s in expected], abs=1e-5)
                assert all(-1 <= c.similarity <= 1 for c in ranked)


def test_search_follows_what_this_and_other_processes_change(path: Path) -> None:
    def names(seed: int) -> list[str]:
        return [c.name for c in mine.search(template(seed).embedding[None], top=5)[0]]

    with open_gallery(path) as mine, open_gallery(path) as other:
        assert mine.search(template(1).embedding[None], top=5) == [[]]
        mine.add("Anna", [template(1)], source(1))
        assert names(1) == ["Anna"]
        other.add("Ben", [template(2)], source(2))
        assert names(2)[0] == "Ben"
        other.rename("Ben", "Bea")
        assert names(2)[0] == "Bea"
        other.merge("Bea", "Anna")
        assert names(2) == ["Anna"]
        other.forget("Anna")
        assert names(2) == []
        other.add("Cem", [template(3)], source(3))
        assert names(3) == ["Cem"]


def at_vector(vector: np.ndarray) -> Template:
    """A template whose embedding points as (D,) does."""
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return Template(unit, 0.5, template(1).skeleton, ENCODER.fingerprint)


def test_it_knows_how_alike_its_people_are(path: Path) -> None:
    vectors = np.eye(DIM)[0] + 0.7 * np.random.default_rng(3).normal(size=(4, DIM))
    with open_gallery(path) as gallery, open_gallery(path) as other:
        assert gallery.alike is None
        gallery.add("a", [at_vector(vectors[0]), at_vector(vectors[1])], source(1))
        assert gallery.alike is None  # nobody can tell from one person
        other.add("b", [at_vector(vectors[2])], source(2))
        units = np.stack([at_vector(vector).embedding for vector in vectors])
        assert gallery.alike == pytest.approx(float((units[:2] @ units[2]).mean()), abs=1e-6)
        gallery.add("c", [at_vector(vectors[3])], source(3))
        assert other.alike == pytest.approx(alike_of(units, ["a", "a", "b", "c"]), abs=1e-6)
        gallery.forget("a")
        assert other.alike == pytest.approx(float(units[2] @ units[3]), abs=1e-6)


def test_what_everybody_shares_does_not_make_a_stranger_alike(path: Path) -> None:
    rng = np.random.default_rng(7)
    shared = np.eye(DIM)[0]
    own = 0.8 * np.linalg.qr(rng.normal(size=(DIM - 1, DIM - 1)))[0]  # as unlike as people can be, but for `shared`
    people, strangers = (shared + np.pad(part, ((0, 0), (1, 0))) for part in (own[:10], own[10:]))
    with open_gallery(path) as gallery:
        for number, person in enumerate(people):
            gallery.add(f"p{number}", [at_vector(person)], source(number))
        probes = np.stack([at_vector(stranger).embedding for stranger in strangers])
        again = np.stack([at_vector(person).embedding for person in people])
        plain = probes @ again.T
        assert plain.min() > 0.6
        for ranked in gallery.search(probes, top=10):
            assert max(found.similarity for found in ranked) < 0.25
        for number, ranked in enumerate(gallery.search(again, top=10)):
            assert (ranked[0].name, ranked[0].similarity) == (f"p{number}", pytest.approx(1))
            assert ranked[1].similarity < 0.25


def test_the_centre_follows_whatever_changes(path: Path) -> None:
    """A gallery that was open all the time answers as one that is opened now."""
    probes = np.stack([template(900 + number).embedding for number in range(5)])

    def same_as_opened_now() -> bool:
        with open_gallery(path) as fresh:
            return mine.search(probes, top=9) == fresh.search(probes, top=9)

    with open_gallery(path) as mine, open_gallery(path) as other:
        assert same_as_opened_now()
        for number in range(4):
            (mine if number % 2 else other).add(f"p{number}", [template(number)], source(number))
            assert same_as_opened_now()
        before = mine.search(probes, top=9)
        other.add("p1", [template(11), template(12)], source(11))  # as many people, and another mean
        assert mine.search(probes, top=1) != before
        assert same_as_opened_now()
        other.merge("p2", "p3")
        assert same_as_opened_now()
        mine.forget("p0")
        assert same_as_opened_now()
        mine.forget("p1")
        other.add("p9", [template(9)], source(9))  # as many people as before
        assert same_as_opened_now()
        other.reindex(FakeEmbedder(0))
        assert same_as_opened_now()


def test_a_large_gallery_is_not_indexed_anew_for_a_few(path: Path) -> None:
    made: list[int] = []

    def counted(dim: int) -> VectorIndex:
        made.append(dim)
        return faiss_index(dim)

    encoder = {"fingerprint": ENCODER.fingerprint, "encoder_name": ENCODER.name, "dim": DIM}
    with Gallery.open(path, make_index=counted, **encoder) as gallery:
        for number in range(150):
            gallery.add(f"p{number}", [template(number)], source(number))
        probe = template(1000).embedding[None]
        before = gallery.search(probe, top=200)[0]
        assert (len(before), len(made)) == (150, 1)
        gallery.add("p7", [template(1000)], source(1000))
        ((found,),) = gallery.search(probe, top=1)
        assert (found.name, found.similarity, found.templates) == ("p7", pytest.approx(1), 2)
        assert len(made) == 1
        others = {found.name: found.similarity for found in before if found.name != "p7"}
        after = {found.name: found.similarity for found in gallery.search(probe, top=200)[0] if found.name != "p7"}
        assert after == pytest.approx(others, abs=1e-6)  # about the same centre as before
        gallery.add("new", [template(1001)], source(1001))
        assert gallery.search(template(1001).embedding[None], top=1)[0][0].name == "new"
        assert len(made) == 2  # one and one are more than one in a hundred


def test_reranking_changes_the_order_and_nothing_else(path: Path) -> None:
    """Angles as in the test of `smsge.reciprocal`: b is a little nearer, a shares the probe's neighbours."""

    def at(degrees: float) -> Template:
        turned = np.zeros(DIM, np.float32)
        turned[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        return at_vector(turned)

    with open_gallery(path) as gallery:
        own = {"a": [at(degrees) for degrees in (-10, -18, -29, -40)], "b": [at(9), at(10.5), at(11), at(12)]}
        gallery.add("a", own["a"], source(1))
        gallery.add("b", own["b"], source(2))
        probe = at(0).embedding[None]
        plain, reranked = gallery.search(probe, top=2)[0], gallery.search(probe, top=2, rerank=True)[0]
        assert [found.name for found in plain] == ["b", "a"]
        assert reranked == plain[::-1]
        for searched in (at(0), at(-29), at(11)):
            for rerank in (False, True):
                found = gallery.search(searched.embedding[None], top=2, rerank=rerank)[0]
                assert {one.name: one.similarity for one in found} == pytest.approx(
                    naive(own, searched.embedding), abs=1e-5
                )
        assert gallery.search(probe, top=1, rerank=True) == [reranked[:1]]
        assert gallery.search(np.zeros((0, DIM)), top=1, rerank=True) == []


def test_reranking_one_template_and_people_beyond_the_pool(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gallery(path) as gallery:
        gallery.add("only", [template(0)], source(0))
        ((found,),) = gallery.search(template(0).embedding[None], top=5, rerank=True)
        assert (found.name, found.similarity) == ("only", pytest.approx(1))
        for number in range(1, 9):
            gallery.add(f"p{number}", [template(number), template(100 + number)], source(number))
        probes = np.stack([template(number).embedding for number in range(9)])
        plain = gallery.search(probes, top=20)
        for pool in (1, 5, 100):
            monkeypatch.setattr("pipeline.ranking.POOL", pool)
            for before, after in zip(plain, gallery.search(probes, top=20, rerank=True), strict=True):
                assert {one.name: one.similarity for one in after} == pytest.approx(
                    {one.name: one.similarity for one in before}, abs=1e-6
                )
                assert after[0].name == before[0].name  # the very same template


def test_search_refuses_what_is_no_probe(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        assert gallery.search(np.zeros((0, DIM), np.float32), top=1) == []
        for bad in (np.ones(DIM), np.ones((1, DIM + 1)), np.zeros((1, DIM)), np.full((1, DIM), np.nan)):
            with pytest.raises(ValueError):
                gallery.search(bad, top=1)
        with pytest.raises(ValueError):
            gallery.search(np.ones((1, DIM)), top=0)
    with Gallery.open(path) as unaware, pytest.raises(ValueError, match="fingerprint"):
        unaware.search(np.ones((1, DIM)), top=1)


def test_probes_of_another_shape_are_refused(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        for probes in (template(1).embedding, template(1).embedding[None, :-1], template(1).embedding[None, None]):
            with pytest.raises(ValueError, match="probes must be"):
                gallery.search(probes, top=1)


def test_templates_of_nobody_are_damage(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM people")
    with open_gallery(path) as gallery, pytest.raises(GalleryError, match="damaged"):
        gallery.search(template(1).embedding[None], top=1)
