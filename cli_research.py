"""The commands of a researcher: train an encoder, evaluate one under the protocols of the field, make walkers up."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli_call import Call, command
from cli_terminal import DONE, SOME_FAILED, complain

research = typer.Typer()


class Dataset(StrEnum):
    """What `smsge.datasets.PROTOCOLS` knows, here for the help."""

    kgbd = "kgbd"
    kgbd_arrays = "kgbd-arrays"
    ks20 = "ks20"
    ias = "ias"
    biwi = "biwi"
    casia_b = "casia-b"
    footage = "footage"


class Compared(StrEnum):
    """What is a probe: one clip of F frames, or a whole walk."""

    clip = "clip"
    track = "track"
    both = "both"


class Walk(StrEnum):
    """How the synthetic people walk."""

    loop = "loop"
    line = "line"
    both = "both"


class Skeletons(StrEnum):
    """Layouts that synthetic skeletons can be written in."""

    kinect20 = "kinect20"


LEVELS: dict[Compared, tuple[Literal["clip", "track"], ...]] = {
    Compared.clip: ("clip",),
    Compared.track: ("track",),
    Compared.both: ("clip", "track"),
}


@command(research, gallery=False, own_config=True)
def train(
    call: Call,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run was stopped.")] = False,
) -> None:
    """Train an encoder; --config and --set give the run's own settings, as in configs/train/.

    Example: `reid train --config configs/train/kgbd.yaml --set data=kgbd.npz --resume`
    """
    if call.config is None:
        raise typer.BadParameter("say which run, as in configs/train/kgbd.yaml", param_hint="--config")
    from pipeline.config import load_config, recipe_of
    from pipeline.rgb_config import RECIPE, RgbConfig
    from smsge.config import TrainConfig

    if recipe_of(call.config) == RECIPE:
        whole = load_config(RgbConfig, call.config, call.changes)
        from pipeline.rgb import train_rgb

        done = [str(path) for path in train_rgb(whole, resume=resume, progress=call.terminal.progress)]
        call.terminal.answer(
            f"the encoders are {' and '.join(done)}: search with one by `--set encoder.weights=FILE`", {"weights": done}
        )
        return
    config = load_config(TrainConfig, call.config, call.changes)
    from smsge.parallel import rank
    from smsge.recipe import train_from_config

    weights = train_from_config(config, resume=resume, progress=call.terminal.progress if rank() == 0 else None)
    if rank() > 0:  # of the processes of `torchrun` the first speaks for all
        return
    call.terminal.answer(
        f"the encoder is {weights}: `reid evaluate --weights` measures it; one for footage is then calibrated with "
        "`python -m pipeline.calibrate`",
        {"weights": str(weights)},
    )


@command(research, gallery=False)
def evaluate(
    call: Call,
    data: Annotated[Path, typer.Argument(help="The dataset: a folder, or an .npz of KGBD.")],
    dataset: Annotated[Dataset, typer.Option(help="Which it is.")],
    protocol: Annotated[
        str | None, typer.Option(help="Which of its protocols; without, they are listed.", show_default=False)
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="A file, or an encoder that ships; default: encoder.weights, which is one that was trained on"
            " people 1-132 of KGBD.",
            show_default=False,
        ),
    ] = None,
    level: Annotated[
        Compared | None, typer.Option(help="What is compared; default: all there is.", show_default=False)
    ] = None,
    frames: Annotated[int | None, typer.Option(min=2, help="Of a clip; default: the encoder's.")] = None,
    every_walk: Annotated[bool, typer.Option("--every-walk", help="Every walk asks once.")] = False,
    classifier: Annotated[bool, typer.Option("--classifier", help="The paper's classifier too.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables.csv and the pictures.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the classifier and the map.")] = 1,
) -> int:
    """Evaluate an encoder under a dataset's protocol, beside descriptors by hand on the same clips.

    Example: `reid evaluate kgbd.npz --dataset kgbd --protocol disjoint --out results`
    """
    from smsge.datasets import PROTOCOLS, WHOLE_WALKS

    if protocol is None or protocol.partition("/")[0] not in PROTOCOLS[dataset]:
        known = ", ".join(PROTOCOLS[dataset])
        raise typer.BadParameter(f"{dataset} has the protocols {known}", param_hint="--protocol")
    if level in (Compared.track, Compared.both) and dataset not in WHOLE_WALKS:
        raise typer.BadParameter(f"clips of {dataset} do not tell their walk: only clip", param_hint="--level")
    from pipeline.research import study
    from smsge.errors import UserError
    from smsge.report import make_folder

    if out is not None:
        make_folder(out)  # before the work
    result = study(
        dataset.value,
        data,
        protocol,
        call.settings,
        weights=weights,
        levels=None if level is None else LEVELS[level],
        frames=frames,
        every_walk=every_walk,
        classifier=classifier,
        seed=seed,
        progress=call.terminal.progress,
    )
    for note in result.notes:
        call.terminal.warn(note)
    files: list[Path] = []
    code = DONE
    if out is not None:
        try:
            files = result.save(out, call.terminal.progress)
        except UserError as error:  # the figures have been found, and are told
            complain(str(error))
            code = SOME_FAILED
    call.terminal.answer(result.table(), result.json() | {"files": [str(path) for path in files]})
    if files:
        call.terminal.remark(f"wrote {len(files)} files into {out}")
    return code


@command(research, gallery=False)
def synthesize(
    call: Call,
    out: Annotated[Path, typer.Option(help="Folder for the clips, or .npz for the skeletons.")],
    people: Annotated[int, typer.Option(min=1, help="How many people.")] = 5,
    clips: Annotated[int, typer.Option(min=1, help="Clips of each.")] = 2,
    seconds: Annotated[float, typer.Option(min=1, help="Length of a clip.")] = 5.0,
    walk: Annotated[Walk, typer.Option(help="Where they walk.")] = Walk.loop,
    fps: Annotated[float, typer.Option(min=1, max=120, help="Frames a second.")] = 25.0,
    width: Annotated[int, typer.Option(min=64, max=4096, help="Pixels, even.")] = 480,
    height: Annotated[int, typer.Option(min=64, max=4096, help="Pixels, even.")] = 360,
    tall: Annotated[float, typer.Option(min=16, help="Pixels that a person measures.")] = 200.0,
    crf: Annotated[int, typer.Option(min=0, max=51, help="Of H.264; smaller is better.")] = 26,
    seed: Annotated[int | None, typer.Option(min=0, help="Other numbers, other people.", show_default=False)] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = 1,
    truths: Annotated[Path | None, typer.Option(help="Folder for the true joints.", show_default=False)] = None,
    samples: Annotated[bool, typer.Option("--samples", help="The clips of the demo instead.")] = False,
    skeletons: Annotated[
        Skeletons | None,
        typer.Option(
            help="Skeletons instead of clips, in KGBD's form at 30 a second, for `--dataset kgbd`; of the other "
            "options, people, clips, seconds and seed matter.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Render walkers with a known body, gait and camera, or write their skeletons.

    Example: `reid synthesize --out walkers/ --people 20 --clips 3`
    """
    if skeletons is not None:
        from pipeline.synthetic.skeleton_file import write_skeletons

        if samples or out.suffix != ".npz":
            hint = "skeletons are one file: give --out FILE.npz, and no --samples"
            raise typer.BadParameter(hint, param_hint="--skeletons")
        walks = write_skeletons(out, people, clips, seed or 0, seconds, call.terminal.progress)
        call.terminal.answer(f"{len(walks)} walks in {out}", {"out": str(out), "walks": walks})
        return
    if samples:
        from pipeline.synthetic.samples import SEED, synthesize_samples

        made = synthesize_samples(out, SEED if seed is None else seed, call.terminal.progress)
    else:
        from pipeline.synthetic.synthesize import Filming, synthesize

        filming = Filming(walk.value, seconds, fps, width, height, tall, crf)
        made = synthesize(
            out, people, clips, seed or 0, filming, workers=workers, truths=truths, progress=call.terminal.progress
        )
    call.terminal.answer(f"{len(made)} clips in {out}", {"out": str(out), "clips": [str(path) for path in made]})
