"""The statements by which people, clips and templates are found in a gallery and added to it; no transactions."""

import difflib
import json
import shlex
from collections.abc import Collection
from pathlib import Path

import numpy as np

from pipeline.database import Database, Row
from pipeline.diversity import diverse
from pipeline.errors import UnknownNameError, WrongEncoderError
from pipeline.gallery_file import damaged
from pipeline.migrating import upgrade
from pipeline.names import UNNAMED, person_name, tells
from pipeline.records import EncoderId, PersonSummary, TemplateInfo
from pipeline.rows import VECTORS
from pipeline.schema import TELLS_SKELETONS, UNTOLD
from pipeline.thresholds import Thresholds

Place = tuple[int, float, float, str]
"""Where in its clip a template was seen: track, start and end in seconds; and when it was added."""

ENROL_AGAIN = "enrol the clips again into a new gallery with the encoder in use, or go on with the one it was made by"
"""What to do with a gallery whose skeletons the encoder in use must not be given."""

SEVERAL_WAYS = "several ways"
"""How skeletons were made where not all of them were made in one way."""


def encoder_of(database: Database) -> tuple[EncoderId, int]:
    """Whose templates the gallery holds, and its revision, which changes when they are replaced."""
    rows = list(database.rows("SELECT fingerprint, encoder, dim, revision FROM gallery"))
    if len(rows) != 1:
        raise damaged(database.path, "it does not say which encoder it belongs to")
    fingerprint, name, dim, revision = rows[0]
    return EncoderId(fingerprint, name, dim, skeletons_of(database)), revision


def skeletons_of(database: Database) -> str:
    """How the gallery's skeletons were made, as in an `EncoderId`. Raises GalleryError where it should say and does
    not."""
    if database.format() < TELLS_SKELETONS:
        return UNTOLD
    rows = list(database.rows("SELECT made FROM skeletons"))
    if len(rows) != 1:
        raise damaged(database.path, "it does not say how its skeletons were made")
    return str(rows[0][0])


def require_encoder(path: Path, held: EncoderId, own: EncoderId) -> None:
    """Raise WrongEncoderError, saying what to do, unless the gallery, of the encoder `held`, belongs to `own`."""
    if held.fingerprint == own.fingerprint:
        return
    mend = f": run `reid gallery reindex --gallery {shlex.quote(str(path))}`"
    if held.skeletons != own.skeletons:
        mend = f", and its skeletons were made in another way than now: {ENROL_AGAIN}"
    raise WrongEncoderError(
        f"the gallery {path} was made by the encoder {_called(held)}, in use is {_called(own)}{mend}"
    )


def require_skeletons(path: Path, held: EncoderId, own: EncoderId) -> None:
    """Raise WrongEncoderError unless the gallery's skeletons were made as those that the encoder `own` embeds."""
    if held.skeletons != own.skeletons:
        raise WrongEncoderError(
            f"the skeletons in the gallery {path} were made in another way than those that {_called(own)} embeds now:"
            f" nothing was changed; {ENROL_AGAIN}, {_called(held)}"
        )


def note_skeletons(database: Database, held: EncoderId, own: EncoderId) -> None:
    """Before skeletons made as those of `own` are added to a gallery: where it holds others, that is what it says from
    then on, and it cannot be moved to another encoder, as it could not before."""
    if held.skeletons not in (own.skeletons, SEVERAL_WAYS):
        upgrade(database)
        database.change("UPDATE skeletons SET made = ?", (SEVERAL_WAYS,))


def _called(encoder: EncoderId) -> str:
    return f"{encoder.name or 'without a name'} ({encoder.fingerprint[:8]})"


def thresholds_of(database: Database) -> Thresholds | None:
    """The gallery's own thresholds; None where it was never calibrated. Raises GalleryError where they are unsound."""
    rows = list(database.rows("SELECT thresholds FROM calibration")) if database.format() > 1 else []
    if not rows:
        return None
    try:
        return Thresholds.from_json(json.loads(rows[0][0]))
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(database.path, "its thresholds") from error


def keep_thresholds(database: Database, thresholds: Thresholds) -> None:
    """Keep these as the gallery's own, in place of any others."""
    upgrade(database)
    database.change("INSERT OR REPLACE INTO calibration VALUES (1, ?)", (json.dumps(thresholds.json()),))


def drop_thresholds(database: Database) -> bool:
    """Forget the gallery's own thresholds; whether there were any."""
    return database.format() > 1 and database.change("DELETE FROM calibration") > 0


def known_person(database: Database, name: str) -> int:
    """The id of a person. Raises UnknownNameError, with the names most like it."""
    wanted = person_name(name)
    rows = list(database.rows("SELECT id FROM people WHERE name = ?", (wanted,)))
    if rows:
        return int(rows[0][0])
    names = [str(row[0]) for row in database.rows("SELECT name FROM people")]
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean “{near[0]}”?" if near else "`reid gallery list` shows who is."
    raise UnknownNameError(f"nobody in the gallery {database.path} is called “{wanted}”: {hint}")


def ids_of(database: Database, names: Collection[str]) -> list[int]:
    """The ids of those of these people who are in the gallery."""
    found = (person for name in names for person in database.rows("SELECT id FROM people WHERE name = ?", (name,)))
    return sorted(int(person) for (person,) in found)


def person_id(database: Database, name: str) -> int:
    """The id of a person, who is added where there is none of that (checked) name."""
    database.change("INSERT INTO people (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
    ((found,),) = database.rows("SELECT id FROM people WHERE name = ?", (name,))
    return int(found)


def clip_id(database: Database, content: str, file: str, added: str) -> int:
    """The id of a clip by its content, added where it is new."""
    database.change(
        "INSERT INTO clips (content, file, added) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (content, file, added)
    )
    ((found,),) = database.rows("SELECT id FROM clips WHERE content = ?", (content,))
    return int(found)


def add_template(
    database: Database, person: int, clip: int, place: Place, vectors: Row, number: int | None = None
) -> None:
    """Add one template; `vectors` are the values of `VECTORS`, as `rows.encode` makes them; number: None for a new."""
    database.change(
        f"INSERT INTO templates (id, person, clip, track, starts, ends, added, {VECTORS})"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, person, clip, *place, *vectors),
    )


def thin(database: Database, person: int, most: int | None) -> tuple[int, int]:
    """Delete the templates of a person beyond `most` (None: no limit), see `pipeline.diversity`: (kept, deleted)."""
    rows = list(database.rows("SELECT id, quality, embedding FROM templates WHERE person = ? ORDER BY id", (person,)))
    if most is None or len(rows) <= most:
        return len(rows), 0
    ids, quality, embeddings = zip(*rows, strict=True)
    if len({len(embedding) for embedding in embeddings}) != 1:
        raise damaged(database.path, "an embedding of the wrong size")
    vectors = np.stack([np.frombuffer(embedding, "<f4") for embedding in embeddings])
    kept = {ids[number] for number in diverse(vectors, np.array(quality), most)}
    for template in set(ids) - kept:
        database.change("DELETE FROM templates WHERE id = ?", (template,))
    return len(kept), len(ids) - len(kept)


def drop_unused(database: Database) -> None:
    """Delete the clips and people that no template is left of."""
    database.change("DELETE FROM clips WHERE id NOT IN (SELECT clip FROM templates)")
    database.change("DELETE FROM people WHERE id NOT IN (SELECT person FROM templates)")


def unname(database: Database, name: str) -> None:
    """Take the names of their files from the clips where these tell a person's name that is not to be kept."""
    for clip in [clip for clip, file in database.rows("SELECT id, file FROM clips") if tells(file, name)]:
        database.change("UPDATE clips SET file = ? WHERE id = ?", (UNNAMED, clip))


def names_of_clip(database: Database, content: str) -> list[str]:
    """Whom a clip, by its content, is enrolled as."""
    sql = (
        "SELECT DISTINCT people.name FROM clips JOIN templates ON templates.clip = clips.id"
        " JOIN people ON people.id = templates.person WHERE clips.content = ? ORDER BY people.name"
    )
    return [str(row[0]) for row in database.rows(sql, (content,))]


def summaries(database: Database) -> list[PersonSummary]:
    """Everybody, by name."""
    sql = (
        "SELECT name, count(*), count(DISTINCT clip), avg(quality), min(added), max(added)"
        " FROM people JOIN templates ON templates.person = people.id GROUP BY people.id ORDER BY name"
    )
    return [PersonSummary(*row) for row in database.rows(sql)]


def templates_of(database: Database, person: int) -> tuple[TemplateInfo, ...]:
    """A person's templates, in the order in which they were added."""
    sql = (
        "SELECT templates.id, file, content, track, starts, ends, quality, frames, fps, layout, templates.added"
        " FROM templates JOIN clips ON clips.id = clip WHERE person = ? ORDER BY templates.id"
    )
    return tuple(TemplateInfo(*row) for row in database.rows(sql, (person,)))
