"""The pose model: where it comes from, in which order, and what is said when it cannot be had."""

import hashlib
import io
import threading
import urllib.error
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline import pose_bundle, pose_models
from pipeline.errors import PoseModelError


def bundle(word: bytes = b"weights") -> bytes:
    return pose_bundle.pack({name: word + name.encode() for name in pose_bundle.MEMBERS})


@pytest.fixture(autouse=True)
def _nothing_is_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: object, **kwargs: object) -> bytes:
        raise PoseModelError("pip download mediapipe==0.10.21: no such host")

    monkeypatch.setattr(pose_bundle, "rebuild", refuse)
    monkeypatch.setattr(pose_models, "PUBLISHED", f"file://{tmp_path}/nowhere/{{name}}.task")
    monkeypatch.setenv("REID_CACHE", str(tmp_path / "cache"))


def publish(monkeypatch: pytest.MonkeyPatch, folder: Path, data: bytes, name: str = "full") -> None:
    (folder / f"{name}.task").write_bytes(data)
    monkeypatch.setattr(pose_models, "PUBLISHED", f"file://{folder}/{{name}}.task")


def test_members_are_stored_as_they_are_and_aligned() -> None:
    data = bundle()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            content = archive.read(entry)
            start = data.index(content)
            assert start % 16 == 0
    assert bundle() == data


def test_published_bundle_comes_first_and_is_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(monkeypatch, tmp_path, bundle())
    seen: list[float] = []
    path = pose_models.resolve_model("full", progress=lambda what, done, total: seen.append(done))
    assert path.read_bytes() == bundle()
    assert path.parent.parent == tmp_path / "cache"
    assert seen[-1] == len(bundle())
    (tmp_path / "full.task").unlink()
    assert pose_models.resolve_model("full") == path
    model = pose_models.verify("full")
    assert model.sha256 == hashlib.sha256(bundle()).hexdigest()
    assert model.origin.endswith("full.task")
    assert not list(path.parent.glob("*.part"))


def test_rebuilt_where_the_host_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose_bundle, "rebuild", lambda progress: bundle(b"rebuilt"))
    assert pose_models.resolve_model("full").read_bytes() == bundle(b"rebuilt")
    assert pose_models.verify("full").origin == pose_bundle.REQUIREMENT


def test_lite_is_never_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose_bundle, "rebuild", lambda progress: bundle())
    with pytest.raises(PoseModelError, match=r"lite cannot be had.*use the model full"):
        pose_models.pull("lite")


def test_what_was_tried_is_told_in_one_line() -> None:
    with pytest.raises(PoseModelError) as told:
        pose_models.resolve_model("full")
    message = str(told.value)
    assert "nowhere/full.task" in message
    assert "pip download" in message
    assert "reid models pull full" in message
    assert "\n" not in message


def test_damaged_cache_is_told_by_verify_and_mended_by_pull(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(monkeypatch, tmp_path, bundle())
    path = pose_models.pull("full")
    path.write_bytes(path.read_bytes()[:-20])
    assert pose_models.list_models()[1].state == "damaged"
    with pytest.raises(PoseModelError, match="sha256"):
        pose_models.verify("full")
    assert pose_models.pull("full").read_bytes() == bundle()


def test_file_without_its_note_is_believed_only_by_the_known_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    path = pose_models.list_models()[1].path
    path.parent.mkdir(parents=True)
    path.write_bytes(bundle())
    assert pose_models.list_models()[1].state == "damaged"
    monkeypatch.setattr(pose_models, "REBUILT_SHA256", hashlib.sha256(bundle()).hexdigest())
    assert pose_models.verify("full").state == "ready"


def test_missing_model_names_the_command() -> None:
    with pytest.raises(PoseModelError, match="reid models pull heavy"):
        pose_models.verify("heavy")
    assert [model.state for model in pose_models.list_models()] == ["missing"] * 3


def test_paths_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.task"
    path.write_bytes(bundle())
    assert pose_models.resolve_model(str(path)) == path
    path.write_bytes(b"no zip at all")
    with pytest.raises(PoseModelError, match="not a Pose Landmarker bundle"):
        pose_models.resolve_model(str(path))
    with pytest.raises(PoseModelError, match="give one of lite, full, heavy"):
        pose_models.resolve_model(str(tmp_path / "absent.task"))
    path.write_bytes(bundle().replace(b"weights", b"height?"))
    with pytest.raises(PoseModelError, match=r"pose_detector\.tflite in it is damaged"):
        pose_models.resolve_model(str(path))
    monkeypatch.setattr(pose_models, "_LARGEST", 10)
    with pytest.raises(PoseModelError, match="larger than"):
        pose_models.resolve_model(str(path))


def test_what_comes_must_be_a_whole_bundle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(monkeypatch, tmp_path, b"<html>captive portal</html>")
    with pytest.raises(PoseModelError, match="not a bundle: not a zip"):
        pose_models.pull("full")
    publish(monkeypatch, tmp_path, bundle())
    monkeypatch.setattr(pose_models, "_LARGEST", 100)
    with pytest.raises(PoseModelError, match="MB came"):
        pose_models.pull("full")


def test_download_that_breaks_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 100)

        def log_message(self, *args: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Short)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(pose_models, "PUBLISHED", f"http://127.0.0.1:{server.server_port}/{{name}}")
    try:
        with pytest.raises(PoseModelError, match="100 of 1000 bytes came"):
            pose_models.pull("full")
    finally:
        server.shutdown()
        server.server_close()


def test_an_answer_that_is_not_http_is_one_place_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(b"no status line\r\n\r\n")

        def log_message(self, *args: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Mute)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(pose_models, "PUBLISHED", f"http://127.0.0.1:{server.server_port}/{{name}}")
    monkeypatch.setattr(pose_bundle, "rebuild", lambda progress: bundle(b"rebuilt"))
    try:
        assert pose_models.pull("full").read_bytes() == bundle(b"rebuilt")
    finally:
        server.shutdown()
        server.server_close()


def test_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(monkeypatch, tmp_path, bundle())
    (tmp_path / "cache").write_text("a file where the directory should be")
    with pytest.raises(PoseModelError, match="REID_CACHE"):
        pose_models.pull("full")


def test_wheel_with_other_networks_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, _ in pose_bundle.MEMBERS.values():
            archive.writestr(path, b"something else")
    with pytest.raises(PoseModelError, match="sha256 differs"):
        pose_bundle.bundle_from_wheel(wheel)
    wheel.write_bytes(b"")
    with pytest.raises(PoseModelError, match="not a whole MediaPipe wheel"):
        pose_bundle.bundle_from_wheel(wheel)


def test_two_at_once_leave_one_sound_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(monkeypatch, tmp_path, bundle())
    faults: list[BaseException] = []

    def pull() -> None:
        try:
            pose_models.pull("full", again=True)
        except (PoseModelError, urllib.error.URLError) as error:
            faults.append(error)

    threads = [threading.Thread(target=pull) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert pose_models.verify("full").state == "ready"
    assert not list(pose_models.list_models()[0].path.parent.glob("*.part"))
