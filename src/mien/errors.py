"""Every error the project raises on purpose, as one tree.

::

    MienError
    ├── PhotoError               a photo cannot be read
    │   ├── PhotoNotFound        no file at the path
    │   ├── PhotoTooLarge        more bytes or pixels than the limit
    │   ├── UnsupportedPhoto     not an image format that Mien reads
    │   └── BrokenPhoto          truncated, corrupt or empty
    ├── FaceError                the photo can be read, its faces are not what was asked for
    │   ├── NoFace               no face found where one is needed
    │   └── FaceNotThere         the photo has fewer faces than the number asked for
    ├── ModelError               weights cannot be obtained or used
    │   ├── UnknownModel         no card with that id
    │   ├── WeightsMissing       offline, and the weights are not on this machine
    │   ├── DownloadFailed       every source on the card failed
    │   ├── WrongDigest          the sha256 differs from the one on the card
    │   ├── InvalidCard          a model card cannot be parsed
    │   └── UnusableWeights      the weights do not behave as their card says
    ├── RecognizerError          a recognizer file cannot be used
    │   ├── RecognizerNotFound   no file at the path
    │   ├── NotARecognizer       not an ONNX file that Mien wrote, or damaged
    │   └── ContractMismatch     embeddings of two contracts would be compared
    ├── DatasetError             a dataset or a source of photos cannot be used
    │   ├── SourceNotFound       the folder, archive or list does not exist
    │   ├── UnusableSource       exists, but is not a source of people's photos
    │   ├── UnsafeArchive        a malicious archive: bomb, link or path traversal
    │   ├── EmptyDataset         no usable face in all the sources
    │   ├── NotADataset          the folder was not made by Mien, or is damaged
    │   ├── DatasetBusy          another process is building it
    │   └── UnknownEntry         a decision names a face that the dataset does not have
    ├── TrainingError            a recognizer cannot be trained from this dataset
    │   └── TooFewPeople         not enough people or photos for what was asked
    ├── EvaluationError          a measurement cannot be made
    │   ├── InvalidPairs         a pairs file cannot be parsed
    │   └── NothingToMeasure     no probe, no stranger or no pair to measure on
    ├── GalleryError             a gallery of people cannot be used, or not in this way
    │   ├── GalleryNotFound      no gallery at the path
    │   ├── NotAGallery          not made by Mien, damaged, or of a newer version
    │   ├── GalleryExists        a gallery is there already
    │   ├── GalleryBusy          another process is using it
    │   ├── GalleryLocked        encrypted, and the key is missing or wrong
    │   ├── UnknownPerson        no person in it has that name or id
    │   ├── UnknownPicture       no enrolled photo has that id
    │   ├── NameTaken            another person has the name
    │   ├── InvalidName          not a valid name of a person
    │   ├── EnrolmentRefused     a photo fails an enrolment check, with the evidence
    │   └── BadExport            not an export of a gallery, or damaged
    ├── ServerError              the server cannot start, or cannot do what it is asked
    │   ├── UnsafeStart          reachable from other machines without a key
    │   ├── DataFolderInUse      another server uses the data folder
    │   ├── CannotListen         the port is taken, or the address is not of this machine
    │   ├── ServeNotInstalled    the packages of the extra `serve` are missing
    │   ├── UnknownKey           no key has that id
    │   ├── KeyNeeded            a request without a valid key
    │   ├── NotAllowed           not with this role, or not from that site
    │   ├── TooManyRequests      over the rate limit of the key
    │   ├── ServerBusy           the queue is full, or the server is stopping
    │   ├── RequestTooLarge      over the limit of bytes or files
    │   ├── RequestTooSlow       the request did not arrive in time
    │   ├── BadRequest           a request that cannot be parsed
    │   ├── NotServed            no such recognizer, version, job, face or gallery here
    │   └── JobRefused           not a job that can be done, or not in its state
    ├── DeployError              a deployment cannot be made or checked
    │   ├── DeployNotInstalled   the packages of the extra `deploy` are not installed
    │   ├── PartsMissing         a package that the deployment contains is not available
    │   ├── DeploymentTooLarge   the deployment exceeds a size limit of its host
    │   ├── NotADeployment       the folder is not a deployment made by Mien, or is damaged
    │   ├── CheckImpossible      this machine lacks what the parity check needs
    │   └── DeploymentDiffers    the deployment's answers differ from the library's
    └── OutputError              a result cannot be written

`str(error)` says what happened and `error.hint` what a user of the library can do about it. The
command line has its own hints, in commands and options: it finds them by `error.code`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MienError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        hint: one sentence that says what a user of the library can do; may be empty.
        code: stable name of the situation, for hints in other words (such as commands); empty
            where `hint` suits every user.
        data: what those words need, such as paths and ids.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        data: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code
        self.data: dict[str, str] = dict(data or {})


class PhotoError(MienError):
    """A photo cannot be read."""


class PhotoNotFound(PhotoError):
    """There is no photo at the path."""


class PhotoTooLarge(PhotoError):
    """The photo has more bytes or more pixels than the limit allows."""


class UnsupportedPhoto(PhotoError):
    """The bytes are not an image in a format that Mien reads."""


class BrokenPhoto(PhotoError):
    """The image is truncated, corrupt or empty."""


class FaceError(MienError):
    """The photo can be read, but its faces are not what was asked for."""


class NoFace(FaceError):
    """No face was found where one is needed."""


SELDOM_FOUND = (
    "Faces narrower than about 12 pixels or a hundredth of the photo's long side, or turned well "
    "past half profile, are seldom found. The photo must be upright."
)
"""Hint of the errors raised where no face is found in a photo."""


class FaceNotThere(FaceError):
    """The photo has fewer faces than the number asked for."""


class ModelError(MienError):
    """Weights cannot be obtained or cannot be used."""


class UnknownModel(ModelError):
    """No model card has that id."""


class WeightsMissing(ModelError):
    """The weights are not on this machine and the network may not be used."""


class DownloadFailed(ModelError):
    """No source on the card delivered the weights."""


class WrongDigest(ModelError):
    """The sha256 of the file differs from the one on the card."""


class InvalidCard(ModelError):
    """A model card cannot be parsed."""


class UnusableWeights(ModelError):
    """The weights do not behave as their card says."""


class RecognizerError(MienError):
    """A recognizer file cannot be used."""


class RecognizerNotFound(RecognizerError):
    """There is no recognizer file at the path."""


class NotARecognizer(RecognizerError):
    """The file was not written by Mien, or is damaged."""


class ContractMismatch(RecognizerError):
    """Embeddings of two contracts would be compared."""


class DatasetError(MienError):
    """A dataset or a source of photos cannot be used."""


class SourceNotFound(DatasetError):
    """The folder, archive or list of a source does not exist."""


class UnusableSource(DatasetError):
    """A source exists, but is not a collection of people's photos."""


class UnsafeArchive(DatasetError):
    """The archive is malicious: a decompression bomb, links, or paths outside of it."""


class EmptyDataset(DatasetError):
    """No usable face was found in the sources."""


class NotADataset(DatasetError):
    """The folder is not a dataset that Mien made, or is damaged."""


class DatasetBusy(DatasetError):
    """Another process is building the same dataset."""


class UnknownEntry(DatasetError):
    """A decision names a face that the dataset does not have."""


class TrainingError(MienError):
    """A recognizer cannot be trained from this dataset."""


class TooFewPeople(TrainingError):
    """There are not enough people or photos for what was asked."""


class EvaluationError(MienError):
    """A measurement cannot be made."""


class InvalidPairs(EvaluationError):
    """A file of pairs cannot be parsed."""


class NothingToMeasure(EvaluationError):
    """There is no probe, stranger or pair to measure on."""


class GalleryError(MienError):
    """A gallery of people cannot be used, or not in this way."""


class GalleryNotFound(GalleryError):
    """There is no gallery at the path."""


class NotAGallery(GalleryError):
    """The folder holds no gallery that this version can read, or a damaged one."""


class GalleryExists(GalleryError):
    """There is a gallery at the path already."""


class GalleryBusy(GalleryError):
    """Another process is using the gallery."""


class GalleryLocked(GalleryError):
    """The key is missing or wrong, or one is given for a gallery that is not encrypted."""


class UnknownPerson(GalleryError):
    """No person in the gallery has that name or id."""


class UnknownPicture(GalleryError):
    """No enrolled photo has that id."""


class NameTaken(GalleryError):
    """Another person in the gallery has the name."""


class InvalidName(GalleryError):
    """The text is not a valid name of a person."""


class EnrolmentRefused(GalleryError):
    """A photo failed an enrolment check.

    Attributes:
        reason: one of `mien.gallery.Reason`.
        evidence: numbers and names behind it, as JSON.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        data: Mapping[str, str] | None = None,
        reason: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code, data=data)
        self.reason = reason
        self.evidence: dict[str, Any] = dict(evidence or {})


class BadExport(GalleryError):
    """The file is not an export of a gallery, or is damaged."""


class ServerError(MienError):
    """The server cannot start, or cannot do what it is asked."""


class UnsafeStart(ServerError):
    """Other machines could reach the server, and it would not ask for a key."""


class DataFolderInUse(ServerError):
    """Another server uses the data folder."""


class CannotListen(ServerError):
    """The port is taken, or the address is not one of this machine's."""


class ServeNotInstalled(ServerError):
    """The packages that the server needs are not installed."""


class UnknownKey(ServerError):
    """No key has that id."""


class KeyNeeded(ServerError):
    """The request has no valid key."""


class NotAllowed(ServerError):
    """The key's role does not allow this, or the request comes from another site's page."""


class TooManyRequests(ServerError):
    """More requests than the rate limit of the key allows."""


class ServerBusy(ServerError):
    """The queue of photos is full, or the server is stopping."""


class RequestTooLarge(ServerError):
    """The request has more bytes or more files than the limit."""


class RequestTooSlow(ServerError):
    """The request did not arrive in time."""


class BadRequest(ServerError):
    """The request cannot be parsed."""


class NotServed(ServerError):
    """The server has nothing by that name or id."""


class JobRefused(ServerError):
    """The job cannot be done, or not in its present state."""


class DeployError(MienError):
    """A deployment of a recognizer cannot be made or checked."""


class DeployNotInstalled(DeployError):
    """The packages that deployments are made with are not installed."""


class PartsMissing(DeployError):
    """A package that the deployment contains is not available."""


class DeploymentTooLarge(DeployError):
    """The deployment exceeds a size limit of its host."""


class NotADeployment(DeployError):
    """The folder is not a deployment made by Mien, or is damaged."""


class CheckImpossible(DeployError):
    """This machine lacks what the parity check needs."""


class DeploymentDiffers(DeployError):
    """The deployment's answers differ from the library's."""


class OutputError(MienError):
    """A result cannot be written where it was asked for."""
