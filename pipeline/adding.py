"""Puts the people of one clip into a gallery, in one transaction."""

import hashlib
from collections.abc import Collection, Sequence

import numpy as np

from pipeline import audit, keeping
from pipeline.database import Database, Row
from pipeline.errors import AlreadyEnrolledError, NameTakenError, WrongEncoderError
from pipeline.names import clip_label, person_name
from pipeline.records import Added, ClipSource, EncoderId
from pipeline.rows import content_hash, encode, now, span, whole
from pipeline.templates import Template

Entry = tuple[str, Sequence[Template], ClipSource]
"""Name, templates of one track, and where they were seen."""


def add_clip(
    database: Database,
    own: EncoderId,
    entries: Sequence[Entry],
    again: bool,
    newcomers: Collection[str] = (),
    most: int | None = None,
) -> Added:
    """Add people to the gallery of the encoder `own`; see `Gallery.add_clip`."""
    named = [(person_name(name), list(templates), source) for name, templates, source in entries]
    contents = [_content(templates, source) for _, templates, source in named]
    added = now()
    with database.transaction():
        held, _ = keeping.encoder_of(database)
        keeping.require_encoder(database.path, held, own)
        keeping.note_skeletons(database, held, own)
        if not again:
            for content, (_, _, source) in zip(contents, named, strict=True):
                _refuse_held(database, content, source)
        if known := {name for (name,) in database.rows("SELECT name FROM people")} & set(newcomers):
            raise NameTakenError(f"{', '.join(sorted(known))}: somebody of that name is in the gallery")
        ready: list[tuple[int, int, keeping.Place, list[Row]]] = []
        for content, (name, templates, source) in zip(contents, named, strict=True):
            person = keeping.person_id(database, name)
            clip = keeping.clip_id(database, content, clip_label(source.clip), added)
            track = whole(int(source.track), "track")
            place = (track, *span(float(source.start), float(source.end)), added)
            # Before anything is added: two entries may be of one person and one track.
            database.change("DELETE FROM templates WHERE person = ? AND clip = ? AND track = ?", (person, clip, track))
            ready.append((person, clip, place, _rows(templates, held)))
        for person, clip, place, rows in ready:
            for row in rows:
                keeping.add_template(database, person, clip, place, row)
        people = {name: person for (name, _, _), (person, *_) in zip(named, ready, strict=True)}
        thinned = {name: keeping.thin(database, person, most) for name, person in people.items()}
        whom = [(person, source.clip) for (person, *_), (*_, source) in zip(ready, named, strict=True)]
        for person, label in dict.fromkeys(whom):
            audit.record(database, "enrolled", [person], label)
        if any(dropped for _, dropped in thinned.values()):
            keeping.drop_unused(database)
    return Added(
        sum(len(rows) for *_, rows in ready),
        kept={name: kept for name, (kept, _) in thinned.items()},
        dropped={name: dropped for name, (_, dropped) in thinned.items()},
    )


def _refuse_held(database: Database, content: str, source: ClipSource) -> None:
    if names := keeping.names_of_clip(database, content):
        raise AlreadyEnrolledError(
            f"{source.clip} is enrolled already, as {', '.join(names)}: use --again to add it once more"
        )


def _rows(templates: Sequence[Template], encoder: EncoderId) -> list[Row]:
    if not templates:
        raise ValueError("there is nobody to enrol without a template")
    if any(template.fingerprint != encoder.fingerprint for template in templates):
        raise WrongEncoderError("the templates were made by another encoder than the gallery's: make them again")
    return [encode(template, encoder.dim) for template in templates]


def _content(templates: Sequence[Template], source: ClipSource) -> str:
    """What tells one clip from another: the hash of its bytes; for a stream, which has none, of its skeletons."""
    if source.content:
        return content_hash(source.content)
    joints = hashlib.sha256()
    for template in templates:
        joints.update(np.ascontiguousarray(template.skeleton.joints).tobytes())
    return joints.hexdigest()
