"""The tree of errors a user can meet; the message of each is one line: what, where, what to do next.

UserError                 smsge.errors
|- ConfigError            smsge.errors
|- CheckpointError        smsge.errors
|- DatasetError           smsge.errors
|- VideoError             a source cannot be opened or decoded
   |- PoseError           the people in it cannot be posed: the estimator fails on one of its frames
|- SkeletonFileError      a skeletons .npz is not one, or is damaged
|- PoseModelError         the pose model cannot be had or does not match its checksum
|- DetectorError          the user's person detector cannot be read or run
|- CameraError            what was learned of a camera cannot be read, or is of another encoder
|- NoUsableTrackError     nobody in the footage can be used; says why, for the best track
|- GalleryError           a gallery cannot be opened, read or written
   |- DamagedError        its file cannot be believed; names the command that mends it
   |- WrongEncoderError   the gallery belongs to another encoder; names the command that mends it
   |- UnknownNameError    no such person in the gallery
   |- NameTakenError      somebody of a name that was to be new is there
   |- AlreadyEnrolledError  this very clip is in the gallery already
"""

from smsge.errors import CheckpointError, ConfigError, DatasetError, UserError

__all__ = [
    "AlreadyEnrolledError",
    "CameraError",
    "CheckpointError",
    "ConfigError",
    "DamagedError",
    "DatasetError",
    "DetectorError",
    "GalleryError",
    "NameTakenError",
    "NoUsableTrackError",
    "PoseError",
    "PoseModelError",
    "SkeletonFileError",
    "UnknownNameError",
    "UserError",
    "VideoError",
    "WrongEncoderError",
]


class VideoError(UserError):
    """A video source cannot be opened or decoded."""


class PoseError(VideoError):
    """The pose estimator fails on a frame of a video."""


class SkeletonFileError(UserError):
    """A file of extracted skeletons is not one, or is damaged."""


class PoseModelError(UserError):
    """The pose model cannot be reached, or its checksum is wrong."""


class DetectorError(UserError):
    """The user's person detector cannot be read, is no YOLOX model, or cannot be run."""


class CameraError(UserError):
    """What was learned of a camera cannot be read, or is of another encoder."""


class NoUsableTrackError(UserError):
    """Nobody in the footage can be used."""


class GalleryError(UserError):
    """A gallery cannot be opened, read or written."""


class NoRoomError(GalleryError):
    """There is too little room, on the disk or in memory, to write a gallery."""


class DamagedError(GalleryError):
    """What is in a gallery's file cannot be what was written there. what: where, in few words."""

    def __init__(self, message: str, what: str = "") -> None:
        super().__init__(message)
        self.what = what


class WrongEncoderError(GalleryError):
    """The gallery's templates were made by another encoder."""


class UnknownNameError(GalleryError):
    """No person of that name is in the gallery."""


class NameTakenError(GalleryError):
    """Somebody of a name that was to be new is in the gallery."""


class AlreadyEnrolledError(GalleryError):
    """The same clip, by content, is in the gallery already."""
