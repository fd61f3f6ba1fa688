"""A clip -> the skeletons in it: decode, pose, track, frame by frame, never more than a few frames in memory.

The three overlap: while a frame is posed, the next ones are decoded and the one before is tracked.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from pipeline.pose import MediaPipePose, PoseEstimator
from pipeline.settings import Settings
from pipeline.skeletons import Extraction, load_skeletons
from pipeline.sources import is_skeletons
from pipeline.tracking import Tracker
from pipeline.values import Progress, silent
from pipeline.video import content_id, is_stream, open_video

_REPORT_EVERY = 5  # frames between two reports of progress


def extract(
    source: str | Path,
    settings: Settings | None = None,
    pose: PoseEstimator | None = None,
    progress: Progress = silent,
) -> Extraction:
    """Everybody in a clip, as tracks of landmarks.

    source: a video file, a webcam's index, a URL, or an .npz of skeletons extracted before, which is read as it is.
    A webcam or URL ends after settings.video.max_seconds, or when the user interrupts: what was seen so far counts.
    pose: an estimator that is open already, to be used for many clips; None opens MediaPipe's for this one.
    Raises `VideoError`, `SkeletonFileError` or `PoseModelError`; a clip without people gives no tracks.
    """
    source, settings = str(source), settings or Settings()
    if is_skeletons(source):
        return load_skeletons(source)
    with ExitStack() as stack:
        video = stack.enter_context(open_video(source, settings.video))
        info = video.info
        content = "" if is_stream(source) else content_id(source, progress)
        if pose is None:
            pose = stack.enter_context(MediaPipePose(settings.pose, progress=progress))
        tracker = Tracker(settings.tracking)
        thread = stack.enter_context(ThreadPoolExecutor(1, "track"))
        tracked: Future[list[int]] | None = None
        name = Path(info.source).name or info.source
        frames, last = 0, 0.0
        try:
            for posed, frame in enumerate(video, start=1):
                people = pose(frame)
                if tracked is not None:
                    tracked.result()
                tracked = thread.submit(tracker.update, frame, people)
                frames, last = frame.index + 1, frame.time
                if posed % _REPORT_EVERY == 0:
                    progress(name, frames, info.frames_declared or None)
        except KeyboardInterrupt:
            if not is_stream(source) or frames == 0:
                raise
            video.warnings.append(f"{info.source} was stopped after {last:.1f} s")
        if tracked is not None:
            tracked.result()
        progress(name, frames, frames)
        size = (info.width, info.height)
        fps = (frames - 1) / last if last > 0 else info.fps
        return Extraction(
            source=info.source,
            content=content,
            frame_size=size,
            fps=fps,
            duration=last + 1 / fps if fps else 0.0,
            frames=frames,
            tracks=tuple(tracker.finish(size, info.source)),
            warnings=tuple(video.warnings),
        )
