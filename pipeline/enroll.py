"""Clips into a gallery: who is in them, under which names, and what was refused and why.

One person in view takes the name; tracks that may be one person who left and came back (`pipeline.persons`) are taken
for one. Several people are called NAME-1, NAME-2 … unless one of them is chosen. Who is in the gallery by a track
already keeps it when its clip is enrolled again, whatever they are called by now.
"""

from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.enrolled import ClipEnrolment, Enrolled, EnrollResult
from pipeline.errors import (
    AlreadyEnrolledError,
    GalleryError,
    NameTakenError,
    NoUsableTrackError,
    SkeletonFileError,
    UserError,
    VideoError,
)
from pipeline.gallery import Gallery
from pipeline.in_common import without_centre
from pipeline.names import person_name, printable
from pipeline.persons import are_one_person
from pipeline.probes import Probe, Reader, Reading
from pipeline.records import ClipSource
from pipeline.settings import Settings
from pipeline.sources import Clip, clip_content, expand, is_skeletons
from pipeline.templates import Embedder
from pipeline.values import Progress, silent
from pipeline.video import shown

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator


class UnusableNameError(GalleryError):
    """What a file or folder is called cannot be a person's name."""


CLIP_ERRORS = (AlreadyEnrolledError, NoUsableTrackError, SkeletonFileError, UnusableNameError, VideoError)
"""What is wrong with one clip alone: with several clips, the others go on."""


def enroll(
    sources: str | Path | Sequence[str | Path],
    *,
    gallery: Gallery,
    name: str | None = None,
    settings: Settings | None = None,
    track: int | None = None,
    again: bool = False,
    pictures: str | Path | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> EnrollResult:
    """Add the people seen in `sources` to `gallery`, one transaction a clip.

    sources: clips, files of skeletons (.npz), or folders of either (see `pipeline.sources`). name: who is in them;
    default the clip's stem, or its folder's name in a folder of folders. track: which person, where several are in
    view. again: add a clip although the gallery holds it; its tracks stay those of whom they are, unless `name` says
    who the one person is. pictures: the folder for the who-is-who picture that a clip
    with several people gets; default the working directory.

    With one clip, whatever is wrong is raised. With several, what is wrong with one clip (it cannot be read, nobody in
    it is usable, it is enrolled already) is told in its `ClipEnrolment.error` and the others go on. What would be wrong
    with the next clip too (the gallery cannot be written) is raised as long as nobody is enrolled; after that it is
    told for this clip and for those that are left.

    Raises VideoError, SkeletonFileError, NoUsableTrackError, AlreadyEnrolledError, GalleryError, UserError.
    """
    settings = settings or Settings()
    clips = expand([sources] if isinstance(sources, str | Path) else sources)
    _check_request(clips, name, track)
    refuse_read_only(gallery)
    done: list[ClipEnrolment] = []
    with Reader(settings, pose, embedder) as reader:
        for number, clip in enumerate(clips):
            progress("enrolling", number, len(clips))
            try:
                if not again:
                    refuse_known(gallery, clip.source, clip_content(clip.source), track)
                reading = reader.read(clip.source, progress)
                done.append(
                    enroll_reading(
                        reading, clip.name, gallery, reader.embedder, name=name, track=track, again=again,
                        pictures=Path(pictures or "."), settings=settings,
                    )
                )  # fmt: skip
            except CLIP_ERRORS as error:
                if len(clips) == 1:
                    raise
                done.append(ClipEnrolment(shown(clip.source), error=str(error)))
            except UserError as error:
                if not any(told.people for told in done):
                    raise
                done += [ClipEnrolment(shown(left.source), error=str(error)) for left in clips[number:]]
                break
        progress("enrolling", len(clips), len(clips))
        return EnrollResult(str(gallery.path), reader.embedder.name, tuple(done))


def _check_request(clips: Sequence[Clip], name: str | None, track: int | None) -> None:
    if not clips:
        raise UserError("nothing to enrol: give a clip, a folder of clips or a file of skeletons (.npz)")
    if track is not None and len(clips) > 1:
        raise UserError(f"--track chooses a person of one clip, {len(clips)} were given: enrol that clip on its own")
    nameless = next((clip for clip in clips if not clip.name), None)
    if nameless and not name:
        raise UserError(f"{shown(nameless.source)} is a stream and has no name to give: say who it is with --name NAME")
    groups = sorted({clip.name for clip in clips if clip.grouped})
    if name and len(groups) > 1:
        raise UserError(
            f"the folders {groups[0]} and {groups[1]} name their people themselves: leave --name out, or give one"
        )
    if not name:
        _refuse_namesakes([clip for clip in clips if not clip.grouped])


def _refuse_namesakes(clips: Sequence[Clip]) -> None:
    """Raise UserError where files of one name in different folders would become one person: with a shell's `people/*`
    that is everybody."""
    first: dict[str, Clip] = {}
    for clip in clips:
        other = first.setdefault(clip.name, clip)
        if Path(other.source).parent != Path(clip.source).parent:
            raise UserError(
                f"{shown(other.source)} and {shown(clip.source)} would be one person, {printable(clip.name)}: give the"
                " folder above theirs where folders are named after people, or enrol them one by one with --name"
            )


def refuse_read_only(gallery: Gallery) -> None:
    """Raise GalleryError where nothing can be added, before the work of reading clips."""
    if not gallery.writable:
        raise GalleryError(f"the gallery {gallery.path} cannot be written: choose another with --gallery")


def refuse_known(gallery: Gallery, source: str, content: str, track: int | None = None) -> None:
    """Raise AlreadyEnrolledError where the gallery holds this very clip, or that track of it; spares reading it."""
    held = held_tracks(gallery, content)
    names = sorted(set(held.values())) if track is None else [held[track]] if track in held else []
    if names:
        which = "" if track is None else f"track {track} of "
        raise AlreadyEnrolledError(
            f"{which}{source} is enrolled already, as {', '.join(names)}: use --again to add it once more"
        )


def held_tracks(gallery: Gallery, content: str) -> dict[int, str]:
    """The tracks of a clip that are enrolled, and as whom; none for a stream, which is never the same twice."""
    return {
        template.track: name
        for name in (gallery.holds(content) if content else [])
        for template in gallery.show(name).templates
        if template.content == content
    }


def enroll_reading(
    reading: Reading,
    default: str,
    gallery: Gallery,
    embedder: Embedder,
    *,
    name: str | None = None,
    track: int | None = None,
    again: bool = False,
    pictures: Path | None = None,
    settings: Settings | None = None,
) -> ClipEnrolment:
    """Add the people of one clip that has been read, in one transaction; what `enroll` does once for every clip.

    default: the name of the people whom neither `name` nor the gallery, by a track of this clip, names. pictures: the
    folder for the who-is-who picture, None for no picture.
    Raises NoUsableTrackError, AlreadyEnrolledError, GalleryError, UserError.
    """
    settings = settings or Settings()
    extraction = reading.extraction
    called = _usable_name(name or default)
    held = held_tracks(gallery, extraction.content)
    notes = list(extraction.warnings)
    usable = reading.usable if track is None else (reading.chosen(track),)
    if not usable:
        raise NoUsableTrackError(reading.nobody())
    one = track is not None or are_one_person([probe.track for probe in usable])
    while True:
        if one:
            people = _one(called, usable, {} if name else held)
        else:
            people = _numbered(called, usable, held, {person.name for person in gallery.people()})
        try:
            added = gallery.add_clip(
                [
                    (person, [probe.template], _source(reading, probe))
                    for person, probes in people.items()
                    for probe in probes
                    if probe.template is not None
                ],
                again=again or (track is not None and track not in held),
                newcomers=() if one else people.keys() - set(held.values()),
                most=settings.gallery.max_templates,
            )
            break
        except NameTakenError:  # another process took the number since the names were read: count on
            continue
    if one and len(people) == 1 and len(usable) > 1:
        notes.append(_came_back(usable, embedder))
    notes += [
        f"{person}: {kept} of {kept + dropped} templates kept, those least alike (gallery.max_templates)"
        for person, kept in added.kept.items()
        if (dropped := added.dropped[person])
    ]
    picture = None
    if len(people) > 1 and pictures is not None:
        picture, note = _picture(reading, people, pictures, settings)
        notes += note
    return ClipEnrolment(
        reading.source,
        people=tuple(_enrolled(person, probes, added.kept[person]) for person, probes in people.items()),
        refused=tuple((probe.track.id, probe.reason) for probe in reading.probes if probe.reason is not None),
        notes=tuple(notes),
        picture=None if picture is None else str(picture),
    )


def _usable_name(name: str) -> str:
    try:
        return person_name(name)
    except GalleryError as error:
        raise UnusableNameError(str(error)) from error


def _one(name: str, probes: Sequence[Probe], held: dict[int, str]) -> dict[str, tuple[Probe, ...]]:
    """The name, or that of whoever has a track of these already (`held`); those of several people stay theirs."""
    holders = {held[probe.track.id] for probe in probes if probe.track.id in held}
    others = holders.pop() if len(holders) == 1 else name
    return _by_name((held.get(probe.track.id, others), probe) for probe in probes)


def _numbered(
    name: str, probes: Sequence[Probe], held: dict[int, str], taken: set[str]
) -> dict[str, tuple[Probe, ...]]:
    """NAME-1, NAME-2 … in order of track, going on after those in the gallery, for another clip shows other people.
    held: whose the tracks are that are enrolled already."""
    free = (new for number in count(1) if (new := f"{name}-{number}") not in taken)
    return _by_name((held.get(probe.track.id) or next(free), probe) for probe in probes)


def _by_name(named: Iterable[tuple[str, Probe]]) -> dict[str, tuple[Probe, ...]]:
    people: dict[str, tuple[Probe, ...]] = {}
    for name, probe in named:
        people[name] = (*people.get(name, ()), probe)
    return people


def _came_back(probes: Sequence[Probe], embedder: Embedder) -> str:
    """The note on tracks taken as one person, and on the two that look least like it."""
    tracks = ", ".join(str(probe.track.id) for probe in probes)
    note = f"tracks {tracks} are never in view together and are taken as one person who left and came back"
    vectors = np.stack([probe.template.embedding for probe in probes if probe.template is not None])
    alike = vectors @ vectors.T
    least = float(alike.min())
    if least < without_centre(embedder.threshold):
        a, b = divmod(int(alike.argmin()), len(alike))
        note += (
            f"; {probes[a].track.id} and {probes[b].track.id} look unlike (similarity {least:.2f}):"
            " if they are two people, forget the name and enrol each with --track"
        )
    return note


def _source(reading: Reading, probe: Probe) -> ClipSource:
    extraction = reading.extraction
    return ClipSource(extraction.source, extraction.content, probe.track.id, probe.track.start, probe.track.end)


def _enrolled(name: str, probes: Sequence[Probe], kept: int) -> Enrolled:
    return Enrolled(
        name=name,
        tracks=tuple(probe.track.id for probe in probes),
        kept=kept,
        seconds=round(sum(probe.track.end - probe.track.start for probe in probes), 3),
        quality=round(max(probe.quality for probe in probes), 4),
    )


def _picture(
    reading: Reading, people: dict[str, tuple[Probe, ...]], folder: Path, settings: Settings
) -> tuple[Path | None, list[str]]:
    """The who-is-who picture, or why there is none; the enrolment is done by now and stands without it."""
    from pipeline.render import who_is_who  # draws with OpenCV, which enrolling one person never needs

    if is_skeletons(reading.source):
        return None, ["no picture of who is who: skeletons hold no pictures, enrol the clip itself to get one"]
    out = folder / f"{next(iter(people)).replace('/', '_')}-who-is-who.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tracks = [probe.track for probes in people.values() for probe in probes]
        names = {probe.track.id: name for name, probes in people.items() for probe in probes}
        return who_is_who(reading.source, tracks, names, out, settings=settings.video), []
    except (VideoError, OSError) as error:
        return None, [f"no picture of who is who: {error}"]
