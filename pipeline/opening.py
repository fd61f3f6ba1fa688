"""Opens the gallery that belongs to the encoder in use."""

from pathlib import Path

from pipeline.gallery import Gallery
from pipeline.places import default_gallery
from pipeline.probes import own_embedder
from pipeline.settings import Settings
from pipeline.templates import Embedder, encoder_id


def open_gallery(
    path: str | Path | None = None,
    settings: Settings | None = None,
    *,
    create: bool = True,
    embedder: Embedder | None = None,
) -> Gallery:
    """The gallery at `path` (default: the user's own, or REID_GALLERY), for the encoder that `settings` name.

    A context manager. create: make it where there is none. embedder: used instead of loading one.
    Raises GalleryError, WrongEncoderError (it belongs to another encoder), CheckpointError, ConfigError.
    """
    settings = settings or Settings()
    encoder = embedder or own_embedder(settings)
    return Gallery.open(
        Path(path) if path is not None else default_gallery(),
        fingerprint=encoder.fingerprint,
        encoder_name=encoder.name,
        dim=encoder.dim,
        skeletons=encoder_id(encoder).skeletons,
        create=create,
        log=settings.gallery.log,
    )
