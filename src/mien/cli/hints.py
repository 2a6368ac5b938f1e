"""Hints of the command line: what to do about an error or a notice, in commands and options.

The library gives its hints in terms of Python. The tables below have the command line's, by the
code of the error or notice; where there is no row the library's hint is printed.
"""

from __future__ import annotations

import shlex
import string
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mien import errors
from mien.text import Notice

_BUILD_AGAIN = "Run the same `mien dataset build` again: finished work is kept."
_DEPLOY_AGAIN = "Make it again with `mien deploy`."
_TRAIN = "`mien train DATASET -o people.onnx` makes a recognizer"

ERROR_HINTS: Mapping[str, str] = {
    # Datasets
    "dataset-missing": "Make one: mien dataset build PHOTOS -o {folder!q}",
    "dataset-missing-in-folder": (
        "Make one of the photos there: mien dataset build {folder!q} -o DATASET"
    ),
    "dataset-damaged": _BUILD_AGAIN,
    "dataset-unfinished": _BUILD_AGAIN,
    "dataset-crops-missing": "Run the same `mien dataset build` again: it writes the crops.",
    "dataset-ledger-missing": (
        "Run `mien dataset build` again; your decisions are kept and will count."
    ),
    "dataset-ledger-damaged": "Delete {ledger} there and run the same `mien dataset build` again.",
    "dataset-outdated": (
        "Run the same `mien dataset build` again: the photos are analysed again, your decisions "
        "are kept and will count."
    ),
    "dataset-of-newer-version": "Use that version, or build into another folder with -o.",
    "dataset-busy": "Wait until it has ended, or give another folder with -o.",
    "dataset-path-is-a-file": "Give another path with -o.",
    "dataset-folder-in-use": "Give an empty or new folder with -o.",
    "dataset-inside-source": "Give a folder outside the photos with -o.",
    "entry-unknown": ("Ids are in manifest.csv; `mien dataset review` shows the doubtful entries."),
    # Models
    "model-unknown": "Known are {known}; `mien models add` adds your own.",
    "wrong-kind-of-model": "`mien models list` shows which is which.",
    "weights-offline": "Unset MIEN_OFFLINE and run `mien models pull {model}`, or {by_hand}.",
    "weights-without-source": "Run `mien models add` with the file again, or {by_hand}.",
    "model-failed": "Report this with the photo's size; `mien models verify` checks the weights.",
    # Recognizers and training
    "recognizer-missing": f"{_TRAIN} of a dataset, `mien gallery to-onnx` of a gallery.",
    "recognizer-unreadable": f"{_TRAIN}.",
    "path-is-a-gallery": "Serve it so: mien serve --gallery {folder!q}",
    "path-is-a-dataset": (
        "It is a dataset: `mien train {folder!q} -o people.onnx` makes a recognizer of it, "
        "`mien gallery create GALLERY --from {folder!q}` a gallery."
    ),
    "no-strangers-for-policy": (
        "Add people to the dataset, or give strangers: --strangers DATASET."
    ),
    "strangers-all-known": "Give strangers who are other people: --strangers DATASET.",
    "no-training-photo": "Look at what was set aside: mien dataset review {dataset!q}",
    # Evaluation
    "dataset-of-another-embedder": (
        "Build the dataset again with the recognizer's detector and embedder (`mien info` "
        "shows them), or train on this one."
    ),
    "comparison-of-two-embedders": (
        "Build the dataset with either embedder and give the second with --and."
    ),
    "no-probes": (
        "Names must be the recognizer's (`mien info` shows them), and a person needs two photos "
        "for one to be held out."
    ),
    "no-strangers": "Give --strangers a dataset of other people.",
    "dataset-lacks-lfw-photos": (
        "Build it from the whole of LFW: mien dataset build lfw -o DATASET"
    ),
    "templates-too-large": (
        "Ask for smaller templates with --sizes, or give a dataset with more people."
    ),
    "galleries-too-large": (
        "Ask for smaller galleries with --galleries, or give a dataset with more people."
    ),
    "lfw-root": (
        "Give --root the archive (lfw-deepfunneled.tgz, lfw-funneled.tgz or lfw.tgz) or the "
        "folder that it unpacks to."
    ),
    "pair-list": (
        "A line for each pair: path,path,same with 1 or 0 for same, and if you like the number of "
        "a fold. LFW's own files are for `mien evaluate lfw`."
    ),
    # Galleries
    "gallery-missing": "Make one: mien gallery create {folder!q}",
    "gallery-of-another-program": "Give a folder that `mien gallery create` made.",
    "gallery-damaged": (
        "`mien gallery check {folder!q}` says more; go back to an export if you have one."
    ),
    "gallery-locked": (
        "Give its key: --key-file FILE, or MIEN_KEY with the file's text. It cannot be read "
        "without the key."
    ),
    "key-file-open": "Take it from them: chmod 600 {file!q}",
    "gallery-not-encrypted": (
        "Leave out --key-file and unset MIEN_KEY, or encrypt it first: "
        "mien gallery rotate-key {folder!q} --new-key-file FILE"
    ),
    "key-malformed": (
        "A key is 32 bytes in base64, as `mien gallery create DIR --encrypt` writes it."
    ),
    "person-unknown": "See who is there: mien gallery list {gallery!q}",
    "name-taken": "Choose another name, or merge the two with `mien gallery merge`.",
    "export-damaged": "Give a file that `mien gallery export` wrote.",
    # Server
    "server-without-key": (
        "Make one with `mien keys create --role admin`, or listen on 127.0.0.1."
    ),
    "handle-malformed": ("Use small letters, digits and hyphens: mien serve indian-face=ten.onnx"),
    "handle-of-gallery": "Give the file another handle: NAME={file!q}",
    "port-taken": "Choose another with --port.",
    "keys-unusable": "Choose a folder that you may write to: --data DIR.",
    "data-folder-in-use": "Stop it, or give this one another folder: --data DIR.",
    "key-unknown": "`mien keys list` shows them.",
    # Deployments
    "app-too-large": "Make it with --weights int8, or train on fewer people.",
    "function-too-large": (
        "Make it with --image as a container, or with --weights int8, or train on fewer people."
    ),
    "deployment-damaged": _DEPLOY_AGAIN,
    "deployment-changed": _DEPLOY_AGAIN,
    "deployment-does-not-start": _DEPLOY_AGAIN,
    "page-damaged": "Make it again with `mien deploy page`.",
    "page-changed": "Make it again with `mien deploy page`.",
    "function-for-another-machine": (
        "Check it on such a machine, or check one that was made with --python and --arch for this "
        "one: the rest of it is the same."
    ),
}
"""By `MienError.code`; `{name}` is from `MienError.data`, `{name!q}` is it quoted for a shell."""

CLASS_HINTS: Mapping[type[errors.MienError], str] = {
    errors.PhotoNotFound: "Check the path in the list.",
    errors.BrokenPhoto: "Copy the photo again from its source.",
    errors.UnusableWeights: (
        "Export the model again with standard ONNX operators, opset 17 to 20."
    ),
    errors.InvalidCard: "docs/models.md has an example card with every key.",
    errors.WrongDigest: "Correct weights.size on the card, or fetch the file again.",
    errors.ContractMismatch: "`mien info` shows the embedder that a recognizer was made with.",
    errors.UnusableSource: "Check the permissions of the file.",
    errors.NothingToMeasure: "Give photos in which faces are found, of people that are known.",
    errors.NotAGallery: "Go back to an export if you have one: `mien gallery import` reads it.",
    errors.UnknownPicture: "`mien gallery show DIR PERSON` lists the photos of a person.",
    errors.OutputError: "Check the permissions and the free space of the disk.",
    errors.PartsMissing: "Try again, or remove what is damaged from the folder in MIEN_MODELS.",
    errors.NotADeployment: _DEPLOY_AGAIN,
    errors.CheckImpossible: "Run `mien deploy check` again, or on another machine.",
}
"""For the errors that the library raises without a hint, by class."""

NOTICE_HINTS: Mapping[str, str] = {
    # Of a policy and its probabilities
    "too-few-strangers": "",
    "statistics-of-another-head": "",
    "people-more-alike-than-card": "",
    "too-few-people": "",
    "threshold-of-even-odds": "",
    "strangers-likely-known": "",
    "typical-probabilities": "",
    "uncalibrated-probabilities": "`mien models measure` measures a card's statistics.",
    "probabilities-flat": "",
    # Of a gallery, and of an embedder's statistics
    "enrolment-checks-not-calibrated": "`mien models measure` measures a card's statistics.",
    "duplicate-people-not-calibrated": "",
    "dataset-not-cleaned": "",
    "people-not-distinguished": "",
    # Of an evaluation
    "other-training-dataset": "",
    "unknown-people-left-out": "",
    "few-probes": "",
    "leaks-left-out": "--flip-singletons made them.",
    "known-strangers-left-out": "",
    "second-names-left-out": "",
    "policy-set-on-same-strangers": "",
    "card-confirmed": "",
    "less-alike-than-card": "",
    "more-alike-than-card": "Train with --strangers DATASET for one that is measured.",
}
"""Printed after the text of a notice, by its code; empty where the text says all."""

TRAINING_HINTS: Mapping[str, str] = {
    **NOTICE_HINTS,
    "too-few-strangers": "Give more strangers with --strangers DATASET.",
    "statistics-of-another-head": "Give strangers with --strangers DATASET.",
}
"""The same for `mien train`. A gallery takes no strangers: they are its own people."""


class _Quoting(string.Formatter):
    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion == "q":
            return shlex.quote(str(value))
        return super().convert_field(value, conversion)


def hint_of(error: errors.MienError) -> str:
    """Return what to do about an error, in commands and options where they help."""
    if error.code in ERROR_HINTS:
        return _Quoting().vformat(ERROR_HINTS[error.code], (), error.data)
    return error.hint or CLASS_HINTS.get(type(error), "")


def notice_text(code: str, text: str, hints: Mapping[str, str] = NOTICE_HINTS) -> str:
    """Return the text of a notice, with what to do about it."""
    return f"{text} {hints.get(code, '')}".rstrip()


def worded(notice: Notice) -> Notice:
    """Return a notice with its text in the words of the command line."""
    return replace(notice, text=notice_text(notice.code, notice.text))
