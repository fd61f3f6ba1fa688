"""What a wheel would hold, read from pyproject.toml and the tree: nothing that is needed may be left out."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
ROOMS = ("pipeline", "smsge", "configs", "sample_videos")


def test_every_package_is_listed() -> None:
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if path.is_file()
    }
    assert found <= set(SETUPTOOLS["packages"])


@pytest.mark.parametrize("package", SETUPTOOLS["packages"])
def test_every_listed_package_can_be_found_by_import(package: str) -> None:
    assert (ROOT / Path(*package.split(".")) / "__init__.py").is_file()


def test_every_module_of_the_top_level_is_listed() -> None:
    assert {path.stem for path in ROOT.glob("*.py")} == set(SETUPTOOLS["py-modules"])


@pytest.mark.parametrize(
    ("package", "files"),
    [
        ("configs", ["default.yaml"]),
        ("configs.train", ["kgbd.yaml"]),
        ("smsge.weights", ["README.md"]),
        ("sample_videos", ["answers.yaml", "search/stranger.mp4"]),
    ],
)
def test_what_the_program_reads_is_package_data(package: str, files: list[str]) -> None:
    patterns = SETUPTOOLS["package-data"][package]
    for file in files:
        assert (ROOT / Path(*package.split(".")) / file).is_file()
        assert any(fnmatch(file, pattern.replace("**/*", "*")) for pattern in patterns), file


def test_shipped_files_are_small() -> None:
    def size(folder: str) -> int:
        return sum(path.stat().st_size for path in (ROOT / folder).rglob("*") if path.is_file())

    assert size("smsge/weights") < 12e6
    assert size("sample_videos") < 8e6


def test_every_pin_is_of_a_dependency_and_every_dependency_is_pinned() -> None:
    def name(requirement: str) -> str:
        return requirement.replace(">", "=").partition("=")[0].strip().lower()

    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {name(line) for line in lines if line and not line.startswith("#")}
    assert all("==" in line for line in lines if line and not line.startswith("#"))
    needed = set(map(name, PROJECT["project"]["dependencies"]))
    for extra in PROJECT["project"]["optional-dependencies"].values():
        needed |= set(map(name, extra))
    assert needed <= pins
    assert "torch==2.13.0" in lines


def test_the_two_builds_of_faiss_are_never_installed_together() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert not any("faiss" in requirement for requirement in PROJECT["project"]["dependencies"])
    assert [extra for extra, needed in extras.items() if any("faiss-cpu" in each for each in needed)] == ["cpu"]
    assert [extra for extra, needed in extras.items() if any("faiss-gpu" in each for each in needed)] == ["gpu"]
