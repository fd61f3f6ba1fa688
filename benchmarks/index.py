"""Galleries of 10 thousand, 100 thousand and 1 million templates: building the index, memory, searching, opening.

    python -m benchmarks.index [--sizes 10000 100000 1000000] [--folder DIR [--keep]] [--graph] [--json]

Templates are drawn as the shipped encoder's are, eight a person (`benchmarks.made_gallery`). Half of the probes are new
walks of somebody enrolled, half are strangers.

Every step is a process of its own. build: the first search of a gallery without an index, from opening it. open: the
same when the index is there. p50, p99: one probe, ten people, `Gallery.search` with all that belongs to it, and FAISS
called directly in turn with it: the same kind of index over the same vectors, the same number of neighbours, one
thread; "threads" is after that with as many as there are processors, FAISS's default (for one probe they wait for one
another). eight: per probe, for eight at once, as a clip of eight people has them. CPU time is what the process was
given of the processors: on a busy machine it says more than the clock. recall@10: people found among the ten that
are nearest, of all, by templates and for an index in memory by their mean too; faiss_recall: the same by FAISS called
directly.
logged: one probe, right after another connection
entered a search in the audit log. rebuilt: searching while a second index is built.
--graph: FAISS's HNSW over the same vectors, with the least effort at which it finds 99 %.
Files go to DIR (default: a temporary folder) and are removed, unless --keep, which also takes the galleries that are
there with their indices, so that building is not measured; 1 million templates take 5 GB.
"""

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.made_gallery import DIM, EACH, ENCODER, fill, probes
from pipeline import ranking
from pipeline.gallery import Gallery
from pipeline.index_file import IndexFile, index_path, read_index
from pipeline.indexing import RECALL, Builder
from smsge.centring import centre_of, centred
from smsge.nearness import by_person, nearness

TOP = 10
ONCE = 8


def memory() -> dict[str, float]:
    """MB: of the process itself now and at its most, and of files that it has mapped."""
    told = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    own, files = (int(told[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))
    return {"own": own, "mapped": files, "most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def opened(path: Path) -> dict[str, Any]:
    """Seconds until a gallery that is opened has answered, and the memory it takes."""
    import pipeline.index  # noqa: F401 - FAISS is loaded before the clock starts

    probe = probes(2, 1000)[:1]
    before, start, used = memory(), time.perf_counter(), time.process_time()
    with Gallery.open(path, **ENCODER) as gallery:
        gallery.search(probe, TOP)
        seconds = time.perf_counter() - start
        used, after = time.process_time() - used, memory()
    return {"seconds": seconds, "cpu": used, **{f"{name}_mb": after[name] - before[name] for name in after}}


def milliseconds(work: Callable[[np.ndarray], object], probe: np.ndarray) -> float:
    start = time.perf_counter()
    work(probe)
    return 1e3 * (time.perf_counter() - start)


def percentiles(times: list[float]) -> dict[str, float]:
    return {"p50": float(np.percentile(times, 50)), "p99": float(np.percentile(times, 99))}


def read_vectors(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The vectors of a gallery about its centre (N, D), people (N,), and the centre (D,)."""
    with closing(sqlite3.connect(path)) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM templates")
        vectors, people = np.empty((count, DIM), np.float32), np.empty(count, np.int64)
        for row, (embedding, person) in enumerate(connection.execute("SELECT embedding, person FROM templates")):
            vectors[row], people[row] = np.frombuffer(embedding, "<f4"), person
    centre = centre_of(vectors, people)
    for start in range(0, count, 1 << 15):
        vectors[start : start + (1 << 15)] = centred(vectors[start : start + (1 << 15)], centre)
    return vectors, people, centre


def _kind(file: IndexFile | None) -> str:
    if file is None or len(file.sizes) == 1:
        return "flat, in memory" if file is None else "flat, on disk"
    return f"{len(file.sizes)} cells, {file.probes} looked into"


def direct_index(vectors: np.ndarray, file: IndexFile | None) -> Any:
    """What somebody would make of the vectors with FAISS alone: of the same kind as the gallery's."""
    import faiss

    flat = faiss.IndexFlatIP(DIM)
    if file is None or len(file.sizes) == 1:
        flat.add(vectors)
        return flat
    flat.add(np.ascontiguousarray(file.centroids))
    cells = faiss.IndexIVFFlat(flat, DIM, len(file.sizes), faiss.METRIC_INNER_PRODUCT)
    cells.is_trained, cells.nprobe = True, file.probes
    for start in range(0, len(vectors), 1 << 15):
        cells.add(vectors[start : start + (1 << 15)])
    return cells


def on_gpus(index: Any) -> Any:
    """A copy on all GPUs, as somebody with FAISS for GPUs would search it; the same where there is none."""
    import faiss

    return faiss.index_cpu_to_all_gpus(index) if faiss.get_num_gpus() else index


def exact_people(asked: np.ndarray, vectors: np.ndarray, people: np.ndarray) -> list[list[int]]:
    """The ten nearest people of each probe."""
    import faiss

    _, found = faiss.knn(asked, vectors, 1 + (TOP - 1) * EACH, metric=faiss.METRIC_INNER_PRODUCT)
    return [first(row) for row in people[found]]


def exact_by_means_too(asked: np.ndarray, vectors: np.ndarray, people: np.ndarray) -> list[list[int]]:
    """The ten people nearest to each probe by their templates or the mean of these, of all there are."""
    names, order, starts = by_person(people)
    held = vectors[order]
    parts = [nearness(asked[place : place + 16], held, starts) for place in range(0, len(asked), 16)]
    return [names[row].tolist() for row in np.argsort(-np.concatenate(parts), axis=1)[:, :TOP]]


def first(people: np.ndarray) -> list[int]:
    """The first ten people among those of the templates that were found."""
    return list(dict.fromkeys(people.tolist()))[:TOP]


def recall(found: list[set[int]] | list[list[int]], exact: list[list[int]]) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, exact, strict=True)]))


def searched(path: Path, asked: int, graph: bool) -> dict[str, Any]:
    """Searching: how fast beside FAISS, how much is found."""
    import faiss

    vectors, people, centre = read_vectors(path)
    file = read_index(index_path(path)) if len(vectors) > ranking.LARGE else None
    direct = on_gpus(direct_index(vectors, file))
    given = probes(asked, len(vectors))
    about = centred(given, centre)
    k = 1 + (TOP - 1) * EACH
    exact = exact_people(about, vectors, people)
    result: dict[str, Any] = {"kind": _kind(file) + (", on a GPU" if faiss.get_num_gpus() else "")}
    with Gallery.open(path, **ENCODER) as gallery:
        answers = gallery.search(given, TOP)
        threads = faiss.omp_get_max_threads()
        times: dict[str, list[float]] = {"reid": [], "faiss": [], "threads": []}
        used = dict.fromkeys(times, 0.0)

        def timed(name: str, work: Callable[[np.ndarray], object], probe: np.ndarray) -> None:
            start = time.process_time()
            times[name].append(milliseconds(work, probe))
            used[name] += 1e3 * (time.process_time() - start)

        faiss.omp_set_num_threads(1)
        for _ in range(3):
            for one, other in zip(given, about, strict=True):
                timed("reid", lambda probe: gallery.search(probe, TOP), one[None])
                timed("faiss", lambda probe: direct.search(probe, k), other[None])
        eight: dict[str, list[float]] = {"reid": [], "faiss": []}
        for start in range(0, asked - ONCE + 1, ONCE):
            own, other = given[start : start + ONCE], about[start : start + ONCE]
            eight["reid"].append(milliseconds(lambda probe: gallery.search(probe, TOP), own) / ONCE)
            eight["faiss"].append(milliseconds(lambda probe: direct.search(probe, k), other) / ONCE)
        result["eight"] = {name: percentiles(taken) for name, taken in eight.items()}
        with Gallery.open(path, **ENCODER) as entering:
            logged = []
            for one in given[:40]:
                entering.record("searched", ["person 1"], "clip.mp4")
                logged.append(milliseconds(lambda probe: gallery.search(probe, TOP), one[None]))
        result["logged"] = percentiles(logged)
        faiss.omp_set_num_threads(threads)
        for other in about:
            timed("threads", lambda probe: direct.search(probe, k), other[None])
        result |= {name: {**percentiles(taken), "cpu": used[name] / len(taken)} for name, taken in times.items()}
        found = [{int(one.name.split()[1]) for one in answer} for answer in answers]
        wanted = exact if file is not None else exact_by_means_too(about, vectors, people)
        result["recall"] = recall(found, wanted)
        if file is not None:
            result["faiss_recall"] = recall([first(row) for row in people[direct.search(about, k)[1]]], exact)
    if graph:
        result["graph"] = graph_of(vectors, people, about, exact, k)
    return result


def rebuilt(path: Path, asked: int) -> dict[str, Any]:
    """Searching while a second index is built, and exactly, with FAISS alone."""
    import faiss

    vectors, _, centre = read_vectors(path)
    given = probes(asked, len(vectors))
    about = centred(given, centre)
    k = 1 + (TOP - 1) * EACH
    result: dict[str, Any] = {}
    with Gallery.open(path, **ENCODER) as gallery:
        gallery.search(given, TOP)
        start, builder = time.perf_counter(), Builder(path)
        during = [milliseconds(lambda probe: gallery.search(probe, TOP), p[None]) for p in _while(builder, given)]
        result["rebuilt"] = {**percentiles(during), "searches": len(during), "s": time.perf_counter() - start}
        faiss.omp_set_num_threads(1)
        flat = [milliseconds(lambda p: faiss.knn(p, vectors, k, metric=faiss.METRIC_INNER_PRODUCT), p[None])
                for p in about[:40]]  # fmt: skip
        result["faiss_flat"] = percentiles(flat)
    return result


def _while(builder: Builder, given: np.ndarray) -> Iterator[np.ndarray]:
    while builder.is_alive():
        for probe in given:
            yield probe
            if not builder.is_alive():
                return


def graph_of(vectors: np.ndarray, people: np.ndarray, about: np.ndarray, exact: list[list[int]], k: int
             ) -> dict[str, Any]:  # fmt: skip
    """FAISS's HNSW, with the least effort at which it finds as much as cells are meant to."""
    import faiss

    before, start = memory()["own"], time.perf_counter()
    graph = faiss.IndexHNSWFlat(DIM, 32, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 80
    graph.add(vectors)
    built = {"seconds": time.perf_counter() - start, "own_mb": memory()["own"] - before}
    for effort in (80, 128, 192, 256, 384, 512, 768, 1024):
        graph.hnsw.efSearch = effort
        found = people[graph.search(about, k)[1]]
        reached = recall([first(row) for row in found], exact)
        if reached >= RECALL:
            break
    times = [milliseconds(lambda probe: graph.search(probe, k), probe[None]) for probe in about]
    return {**built, "efSearch": effort, "recall": reached, **percentiles(times)}


def measure(count: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One row of the table, each step in a process of its own."""
    path = folder / f"{count}.db"
    if not path.exists():
        fill(path, count)

    def step(name: str, *more: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.index", "--step", name, "--path", str(path),
                   "--asked", str(options.asked), *more]  # fmt: skip
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return dict(json.loads(done.stdout))

    row: dict[str, Any] = {"templates": count, "build": step("open"), "open": step("open")}
    row["search"] = step("search", *(["--graph"] if options.graph else []))
    index = index_path(path)
    if index.exists():
        row["search"] |= step("rebuild")
    row["files_mb"] = {
        "gallery": path.stat().st_size / 1e6,
        "index": index.stat().st_size / 1e6 if index.exists() else 0,
    }
    for file in [] if options.keep else folder.iterdir():
        file.unlink()
    return row


def table(row: dict[str, Any]) -> str:
    search = row["search"]

    def ratio(what: str) -> float:
        return float(search["reid"][what] / search["faiss"][what])

    build, opened = row["build"], row["open"]
    cells = [
        f"{row['templates']:,}",
        search["kind"],
        f"{build['seconds']:.1f} s ({build['cpu']:.1f})",
        f"{build['most_mb']:.0f} MB",
        f"{opened['seconds']:.2f} s ({opened['cpu']:.2f})",
        f"{opened['own_mb']:.0f} + {opened['mapped_mb']:.0f} MB",
        f"{search['reid']['p50']:.2f} / {search['reid']['p99']:.2f}",
        f"{search['faiss']['p50']:.2f} / {search['faiss']['p99']:.2f}",
        f"{ratio('p50'):.2f} / {ratio('p99'):.2f}",
        f"{search['reid']['cpu'] / search['faiss']['cpu']:.2f}",
        f"{search['recall']:.3f}",
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| templates | index | build (CPU) | most memory then | open (CPU) | memory, own + mapped | reid p50 / p99 ms"
    " | FAISS p50 / p99 ms | ratio of p50 / p99 | of CPU time | recall@10 |"
    "\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true", help="keep the galleries in DIR, and take those that are there")
    parser.add_argument("--asked", type=int, default=300, help="probes")
    parser.add_argument("--graph", action="store_true", help="measure HNSW too")
    parser.add_argument("--json", action="store_true", help="print everything that was measured")
    parser.add_argument("--step", choices=("open", "search", "rebuild"), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        steps = {
            "open": lambda: opened(options.path),
            "search": lambda: searched(options.path, options.asked, options.graph),
            "rebuild": lambda: rebuilt(options.path, options.asked),
        }
        print(json.dumps(steps[options.step]()))
        return 0
    if options.keep and not options.folder:
        parser.error("--keep needs --folder")
    if not options.json:
        print(HEAD, flush=True)
    with nullcontext(options.folder) if options.keep else tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for count in options.sizes:
            row = measure(count, Path(folder), options)
            print(json.dumps(row) if options.json else table(row), flush=True)
            if not options.json:
                more = {k: v for k, v in row["search"].items() if k not in ("kind", "reid", "faiss", "recall")}
                print(f"  {json.dumps(more)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
