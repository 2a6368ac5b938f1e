"""The recipe of the course in the environment of facenet-pytorch, timed on some of the photos.

    PYTHON course.py --photos FOLDER --count N --people P --train T --validate V

FOLDER has one folder per person. N photos go through MTCNN (crops of 160 pixels, margin 32), then
through steps of training as the course had it: InceptionResnetV1 frozen but for its last linear
layer, its batch norm and a softmax over P people; mirrored at random, SGD with momentum, batches of
128, 25 epochs over T photos, each followed by a validation of V. It prints JSON: the seconds
measured, and those of the whole recipe, extrapolated.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from PIL import Image
from torch import nn

EPOCHS = 25
BATCH = 128
STEPS = 4


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    for option in ("count", "people", "train", "validate"):
        parser.add_argument(f"--{option}", type=int, required=True)
    options = parser.parse_args()

    paths = sorted(options.photos.rglob("*.jpg"))
    paths = paths[:: max(1, len(paths) // options.count)][: options.count]
    crops, crop_s = cropped(paths)
    step_s, check_s = trained(crops, options.people)
    photos = options.train + options.validate
    steps, checks = (-(-each // BATCH) for each in (options.train, options.validate))
    whole = {
        "crops_s": crop_s * photos,
        "training_s": EPOCHS * (steps * step_s + checks * check_s),
    }
    measured = {"photos": len(paths), "crop_s": crop_s, "step_s": step_s, "check_s": check_s}
    print(json.dumps({"measured": measured, **whole, "total_s": sum(whole.values())}))


def cropped(paths: list[Path]) -> tuple[torch.Tensor, float]:
    """Return (N, 3, 160, 160) crops of the photos with a face, and the seconds per photo."""
    mtcnn = MTCNN(image_size=160, margin=32, device="cpu")
    mtcnn(Image.open(paths[0]).convert("RGB"))
    start = time.perf_counter()
    crops = [mtcnn(Image.open(path).convert("RGB")) for path in paths]
    seconds = (time.perf_counter() - start) / len(paths)
    return torch.stack([crop for crop in crops if crop is not None]), seconds


def trained(crops: torch.Tensor, people: int) -> tuple[float, float]:
    """Return the seconds per training step and per validation batch."""
    torch.manual_seed(0)
    network = InceptionResnetV1(pretrained=None, classify=True, num_classes=people)
    learned = (network.last_linear, network.last_bn, network.logits)
    for parameter in network.parameters():
        parameter.requires_grad = False
    for layer in learned:
        for parameter in layer.parameters():
            parameter.requires_grad = True
    wanted = [parameter for layer in learned for parameter in layer.parameters()]
    optimiser = torch.optim.SGD(wanted, lr=0.01, momentum=0.9)
    batch = crops.repeat(-(-BATCH // len(crops)), 1, 1, 1)[:BATCH]
    labels = torch.randint(0, people, (BATCH,))

    def step() -> None:
        network.train()
        optimiser.zero_grad()
        mirrored = torch.where(torch.rand(BATCH, 1, 1, 1) < 0.5, batch.flip(3), batch)
        nn.functional.cross_entropy(network(mirrored), labels).backward()
        optimiser.step()

    def check() -> None:
        network.eval()
        with torch.inference_mode():
            network(batch)

    return _median_seconds(step), _median_seconds(check)


def _median_seconds(work: Callable[[], None]) -> float:
    work()
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    main()
