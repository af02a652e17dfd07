"""Measure whole runs: against each component alone, against the bound, sparse passes, networks.

The clip is 60 s of 720p made like real files: film and a talking head in turns, H.264 with one
slice per frame and B-frames, AAC sound with clicks at 120 bpm. A second one shows the same pictures
as slides, each for four seconds: it costs little to decode, as screen recordings and talks do. A
ratio is of two measurements of one round; rounds alternate, the median and all of them are printed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from unittest import mock

import av
import networks
import numpy as np
from av.video.frame import PictureType

import filmcan
from filmcan.components.base import Component, Inputs, Result
from filmcan.components.catalog import get_component_class
from filmcan.media import video_pass
from filmcan.media.decode import MediaPass
from filmcan.media.decoding_plan import plan_decoding
from filmcan.media.frames import FrameRequest, FrameSample, FrameStream, FrameView
from filmcan.media.probe import probe_source
from filmcan.media.source_file import find_source
from filmcan.media.stream_decoder import StreamDecoder
from filmcan.media.timeline import Sampling
from filmcan.models.execution import Execution
from filmcan.models.onnx_network import OnnxNetwork
from filmcan.models.tflite_network import TfliteNetwork
from filmcan.operations.assets import pull_assets
from filmcan.pipeline.profile import resolve_profile
from filmcan.testing.fake_frames import build_fake_frames
from filmcan.testing.fake_media import FakeSound, build_inputs
from filmcan.testing.fixture_networks import borrowed_models
from filmcan.testing.media_reading import TEST_LIMITS, read_media

SECONDS, RATE_HZ, SIZE = 60, 30, (1280, 720)
SHOT_FRAMES = 120
ROUNDS = 3
COMPONENTS = (
    "loudness_extractor",
    "tempo_extractor",
    "core_optical_flow",
    "core_face_landmarks",
    "core_object_detections",
)
FILM, FACE = "sample_bigbuckbunny", "sample_carphone"
WEIGHTS = ("mediapipe_face", "ssd_mobilenetv2_oidv4")
SPARSE = Sampling("uniform_v1", rate_hz=1 / 30, max_samples=400)
MADE_MODELS = {
    "core_clip": networks.CLIP,
    "core_depth_midas": networks.MIDAS,
    "clap_extractor": networks.CLAP,
}

Times = list[float]


def measure_runs(folder: Path) -> None:
    """Print what a whole run and a sparse pass take."""
    pull_assets(WEIGHTS)
    clip = make_clip(folder / "clip.mp4")
    slides = make_clip(folder / "slides.mp4", has_motion=False)
    _say_load()
    for what, path in (("film", clip), ("slides", slides)):
        print(f"--- {what}: {path.stat().st_size * 8 / SECONDS / 1000:.0f} kbit/s")
        _measure_whole(path, folder)
    _measure_sparse(clip)
    _say_load()


def measure_networks(folder: Path) -> None:
    """Print what components cost beside their networks, and a run's peak memory."""
    clip, made = make_clip(folder / "networks.mp4"), folder / "models"
    made.mkdir()
    _say_load()
    with borrowed_models(folder / "cache", networks.write_networks(made), WEIGHTS):
        _measure_networks(clip)
        _measure_memory(clip, folder)
    _say_load()


def _say_load() -> None:
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {SECONDS} s of 720p, "
          f"{ROUNDS} rounds")  # fmt: skip


def make_clip(path: Path, *, has_motion: bool = True) -> Path:
    """Write the clip: 4 s of film, 4 s of a talking head, and so on; else the first of each."""
    shots = [_read_pictures(FILM), _read_pictures(FACE)]
    if not has_motion:
        shots = [shot[:1] * SHOT_FRAMES for shot in shots]
    pictures = cycle(_interleave(*shots))
    rate = 48_000
    generator = np.random.default_rng(7)
    sound = (0.01 * generator.standard_normal(SECONDS * rate)).astype(np.float32)
    for start in range(0, sound.size, rate // 2):
        sound[start : start + 480] += 0.5
    options = {"preset": "veryfast", "bf": "3", "g": "250", "x264-params": "slices=1"}
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE_HZ, options=options)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.codec_context.thread_type = "FRAME"  # else one slice for each thread
        audio = container.add_stream("aac", rate=rate, layout="mono")
        for number in range(SECONDS * RATE_HZ):
            frame = next(pictures)
            frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
            frame.pict_type = PictureType.NONE  # else the encoder repeats the sample's choice
            container.mux(video.encode(frame))
        container.mux(video.encode())
        block = av.AudioFrame.from_ndarray(sound[np.newaxis], format="fltp", layout="mono")
        block.sample_rate = rate
        container.mux(audio.encode(block))
        container.mux(audio.encode())
    return path


def _read_pictures(asset: str) -> list[av.VideoFrame]:
    (path,) = pull_assets([asset])[asset].values()
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [
            frame.reformat(*SIZE, format="yuv420p")
            for frame, _ in zip(frames, range(SHOT_FRAMES), strict=False)
        ]


def _interleave(*shots: list[av.VideoFrame]) -> list[av.VideoFrame]:
    return [frame for shot in shots for frame in shot]


def _measure_whole(clip: Path, folder: Path) -> None:
    count = iter(range(1000))

    def run(*only: str) -> float:
        store = folder / f"store{next(count)}"
        start = time.perf_counter()
        done = filmcan.run(clip, store=store, only=list(only))
        elapsed = time.perf_counter() - start
        if done.status != "ok" or {item.status for item in done.components.values()} != {"ok"}:
            raise SystemExit(f"the run of {only} did not end ok")
        return elapsed

    run(*COMPONENTS)
    alone: Times = []
    plainly: Times = []
    bound: Times = []
    floor: Times = []
    told = ""
    for _ in range(ROUNDS):
        with _component_seconds() as seconds:
            start = time.process_time()
            whole = run(*COMPONENTS)
            total = time.process_time() - start
        decoding = _decode_all(clip)
        spent = sum(seconds.values())
        alone.append(sum(run(name) for name in COMPONENTS) / whole)
        with _decoding_first():
            plainly.append(sum(run(name) for name in COMPONENTS) / whole)
        cores = os.cpu_count() or 1
        bound.append(whole / max(decoding, spent / cores))
        floor.append(whole / (total / cores))
        parts = ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
        told = f"whole {whole:.2f} s, decoding alone {decoding:.2f} s, CPU {total:.2f} s"
    print(f"{told}, of components {spent:.2f} s: {parts}")
    what = "whole run: how many times faster than each component"
    _say(f"{what} decoding for itself", "at least 2.5", plainly)
    _say(f"{what} in a run of its own", "", alone)
    _say("whole run: times max(decoding, CPU of components / cores)", "at most 1.15", bound)
    _say("whole run: times all its CPU, decoding and conversion included, / cores", "", floor)


@contextmanager
def _component_seconds() -> Iterator[dict[str, float]]:
    """Collect the CPU time of each component's thread."""
    seconds: dict[str, float] = {}

    def wrap(name: str, run: Callable[..., Result]) -> Callable[..., Result]:
        def timed(self: object, inputs: Inputs) -> Result:
            start = time.thread_time()
            try:
                return run(self, inputs)
            finally:
                seconds[name] = time.thread_time() - start

        return timed

    classes = [get_component_class(name) for name in COMPONENTS]
    patches = [mock.patch.object(item, "run", wrap(item.name, item.run)) for item in classes]
    for patch in patches:
        patch.start()
    try:
        yield seconds
    finally:
        for patch in patches:
            patch.stop()


class _Held:
    """Frames that are all decoded before the first is looked at."""

    def __init__(self, stream: FrameStream) -> None:
        self._stream = stream
        self._samples: list[FrameSample] | None = None

    @property
    def display_size(self) -> tuple[int, int]:
        return self._stream.display_size

    def __iter__(self) -> Iterator[FrameSample]:
        if self._samples is None:
            self._samples = list(self._stream)
        return iter(self._samples)

    def is_empty(self) -> bool:
        return self._stream.is_empty()


@contextmanager
def _decoding_first() -> Iterator[None]:
    """Have each component work as a script of its own does: all is decoded, then it computes."""

    def wrap(run: Callable[..., Result]) -> Callable[..., Result]:
        def held(self: object, inputs: Inputs) -> Result:
            frames = inputs.frames and _Held(inputs.frames)
            return run(self, replace(inputs, frames=frames))

        return held

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(video_pass, "plan_decoding", _plan_nothing))
        for item in map(get_component_class, COMPONENTS):
            stack.enter_context(mock.patch.object(item, "run", wrap(item.run)))
        yield


def _decode_all(clip: Path) -> float:
    start = time.perf_counter()
    decoder = StreamDecoder(find_source(clip), 0, TEST_LIMITS, threads=2)
    if sum(1 for _ in decoder.frames(lambda: False)) != SECONDS * RATE_HZ:
        raise SystemExit("the clip does not decode")
    return time.perf_counter() - start


def _measure_sparse(clip: Path) -> None:
    requests = {"eyes": FrameRequest(FrameView("rgb", size=(300, 300)))}
    probe = probe_source(clip, TEST_LIMITS)
    times: dict[bool, Times] = {True: [], False: []}
    clock: dict[bool, Times] = {True: [], False: []}
    for number in range(2 * ROUNDS + 2):
        skips = number % 2 == 0
        with mock.patch.object(
            video_pass, "plan_decoding", plan_decoding if skips else _plan_nothing
        ):
            start, cpu = time.perf_counter(), time.process_time()
            media = MediaPass(
                clip,
                probe,
                sampling=SPARSE,
                limits=TEST_LIMITS,
                frame_requests=requests,
                sound_requests={},
            )
            media.start()
            count = sum(1 for _ in media.frames("eyes") or ())
            summary = media.finish()
            clock[skips].append(time.perf_counter() - start)
            times[skips].append(time.process_time() - cpu)
        if skips:
            told = f"{count} wanted, {summary.decoded_frames} of {summary.frame_count} decoded"
    for what, goal, taken in (("CPU", "at least 15", times), ("the clock", "", clock)):
        ratios = [full / ours for full, ours in zip(taken[False], taken[True], strict=True)][1:]
        _say(f"2 samples a minute ({told}), by {what}, than a full pass", goal, ratios)


def _plan_nothing(*_: object) -> None:
    return None


def _measure_networks(clip: Path) -> None:
    """Compare each component with the bare loop that runs its networks on the same inputs."""
    requests = {"eyes": FrameRequest(FrameView("rgb"))}
    sampling = Sampling("uniform_v1", rate_hz=2.0, max_samples=400)
    samples = read_media(clip, requests, sampling=sampling).frames["eyes"] or []
    pictures = [item.image for item in samples if item.image is not None]
    noise = 0.1 * np.random.default_rng(0).standard_normal(48_000 * 60).astype(np.float32)
    cases: list[tuple[str, Mapping[str, object]]] = [
        ("core_face_landmarks", {}),
        ("core_object_detections", {"model": WEIGHTS[1]}),
        ("core_object_detections", {"model": networks.YOLOX}),
        *((name, {"model": model}) for name, model in MADE_MODELS.items()),
    ]
    profile = resolve_profile()
    for name, changes in cases:
        section = dict(profile.section("components", name))
        component = get_component_class(name)({**section, "prompts": [], **changes})

        def work(component: Component = component) -> float:
            inputs = build_inputs(
                frames=build_fake_frames(pictures[:: 1 if component.name in COMPONENTS else 10]),
                sound=FakeSound(noise, 48_000),
                execution=Execution(),
            )
            start = time.process_time()
            result = component.run(inputs)
            if result.status != "ok":
                raise SystemExit(f"{component.name} ended {result.status}")
            return time.process_time() - start

        with _recorded() as calls:
            work()
        ratios = []
        for _ in range(ROUNDS):
            ours = work()
            start = time.process_time()
            for run, network, feeds in calls:
                run(network, feeds)
            ratios.append((time.process_time() - start) / ours)
        told = str(changes.get("model", "")) or WEIGHTS[0]
        _say(f"{name} ({told}, {len(calls)} calls): throughput to a bare loop's",
             "at least 0.90", ratios)  # fmt: skip


_Call = tuple[Callable[..., object], object, dict[str, np.ndarray]]


@contextmanager
def _recorded() -> Iterator[list[_Call]]:
    """Keep what every network is given."""
    calls: list[_Call] = []

    def wrap(run: Callable[..., object]) -> Callable[..., object]:
        def recorded(self: object, feeds: Mapping[str, np.ndarray], *rest: object) -> object:
            calls.append((run, self, {key: array.copy() for key, array in feeds.items()}))
            return run(self, feeds, *rest)

        return recorded

    with (
        mock.patch.object(OnnxNetwork, "run", wrap(OnnxNetwork.run)),
        mock.patch.object(TfliteNetwork, "run", wrap(TfliteNetwork.run)),
    ):
        yield calls


def _measure_memory(clip: Path, folder: Path) -> None:
    """Run all nine components in a process of their own and print its peak."""
    settings = [f"components.{name}.model={model}" for name, model in MADE_MODELS.items()]
    told = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__, str(clip), str(folder / "peak"), *settings],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    print(f"{'peak memory of a default run of all components, MB':<78} {told[0]:>7}  "
          f"below 1500  ({told[1]})")  # fmt: skip


def _run_for_peak(clip: str, store: str, *settings: str) -> None:
    run = filmcan.run(clip, store=store, settings=list(settings))
    peak = run.manifest.run.peak_rss_bytes or 0
    statuses = sorted(f"{item.status}:{item.empty_reason}" for item in run.components.values())
    print(round(peak / 1e6), ",".join(sorted(set(statuses))))


def _say(what: str, goal: str, ratios: Times) -> None:
    rounds = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"{what:<78} {statistics.median(ratios):7.2f}  {goal}  ({rounds})", flush=True)


if __name__ == "__main__":
    _run_for_peak(*sys.argv[1:])
