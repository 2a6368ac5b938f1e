"""Every error the project raises on purpose, as one tree.

::

    MienError
    ├── PhotoError               a photo cannot be read
    │   ├── PhotoNotFound        no file there
    │   ├── PhotoTooLarge        more bytes or pixels than the limit
    │   ├── UnsupportedPhoto     not a picture format that Mien reads
    │   └── BrokenPhoto          truncated, corrupt or empty
    ├── FaceError                the photo is fine, its faces are not what was asked for
    │   ├── NoFace               no face found where one is needed
    │   └── FaceNotThere         the face asked for by number is not in the photo
    ├── ModelError               weights cannot be had or used
    │   ├── UnknownModel         no card with that id
    │   ├── WeightsMissing       offline, and the weights are not on this machine
    │   ├── DownloadFailed       every source on the card failed
    │   ├── WrongDigest          the bytes are not those the card names
    │   ├── InvalidCard          a card that cannot be understood
    │   └── UnusableWeights      the right bytes, but not a model of the card's shape
    ├── RecognizerError          a recognizer file cannot be used
    │   ├── RecognizerNotFound   no file there
    │   ├── NotARecognizer       not an ONNX file that Mien wrote, or damaged
    │   └── ContractMismatch     embeddings of two contracts would meet
    ├── DatasetError             a dataset or a source of photos cannot be used
    │   ├── SourceNotFound       the folder, archive or list is not there
    │   ├── UnusableSource       there, but not a source of people's photos
    │   ├── UnsafeArchive        an archive made to do harm
    │   ├── EmptyDataset         no usable face in all the sources
    │   ├── NotADataset          the folder was not made by `mien dataset build`, or is damaged
    │   ├── DatasetBusy          another process is building it
    │   └── UnknownEntry         a decision names a face that the dataset does not have
    ├── TrainingError            a recognizer cannot be trained from this dataset
    │   └── TooFewPeople         not enough people or photos for what was asked
    ├── EvaluationError          a measurement cannot be made
    │   ├── InvalidPairs         a pairs file that cannot be understood
    │   └── NothingToMeasure     no probe, no stranger or no pair to measure on
    ├── GalleryError             a gallery of people cannot be used, or not like this
    │   ├── GalleryNotFound      no gallery there
    │   ├── NotAGallery          there, but not made by Mien, damaged, or of a newer version
    │   ├── GalleryExists        one is there already
    │   ├── GalleryBusy          another process holds it
    │   ├── GalleryLocked        encrypted, and the key is missing or another
    │   ├── UnknownPerson        nobody in it has that name or id
    │   ├── UnknownPicture       no enrolled photo has that id
    │   ├── NameTaken            somebody else has the name
    │   ├── InvalidName          not a name that a person can have
    │   ├── EnrolmentRefused     a photo should not be enrolled, with the evidence
    │   └── BadExport            not a file that `mien gallery export` wrote, or damaged
    ├── ServerError              the server cannot start, or not do what it is asked
    │   ├── UnsafeStart          reachable from other machines, and asks for no key
    │   ├── CannotListen         another program has the port, or there is no such address
    │   ├── ServeNotInstalled    the packages of the extra `serve` are not there
    │   ├── UnknownKey           no key has that id
    │   ├── KeyNeeded            a request without a key, or with one that does not hold
    │   ├── NotAllowed           not with this role, or not from that page
    │   ├── TooManyRequests      faster than the key may ask
    │   ├── ServerBusy           as many wait as may, or the server is stopping
    │   ├── RequestTooLarge      more bytes or files than a request may have
    │   ├── RequestTooSlow       the request did not arrive in time
    │   ├── BadRequest           a request that cannot be understood
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

Every error carries what happened in `str(error)` and what to do about it in `error.hint`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MienError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        hint: one sentence that says what the user can do; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class PhotoError(MienError):
    """A photo cannot be read."""


class PhotoNotFound(PhotoError):
    """There is no file at the path."""


class PhotoTooLarge(PhotoError):
    """The photo has more bytes or more pixels than the limit allows."""


class UnsupportedPhoto(PhotoError):
    """The bytes are not a picture in a format that Mien reads."""


class BrokenPhoto(PhotoError):
    """The bytes are a truncated, corrupt or empty picture."""


class FaceError(MienError):
    """The photo can be read, but its faces are not what was asked for."""


class NoFace(FaceError):
    """No face was found where one is needed."""


SELDOM_FOUND = (
    "Faces narrower than about 12 pixels or a hundredth of the photo's long side, or turned well "
    "past half profile, are seldom found."
)
"""The hint where a photo seems to show no face."""


class FaceNotThere(FaceError):
    """The photo has fewer faces than the number asked for."""


class ModelError(MienError):
    """Weights cannot be had or cannot be used."""


class UnknownModel(ModelError):
    """No model card has that id."""


class WeightsMissing(ModelError):
    """The weights are not on this machine and the network may not be used."""


class DownloadFailed(ModelError):
    """None of the sources on the card delivered the weights."""


class WrongDigest(ModelError):
    """The bytes do not have the sha256 that the card names."""


class InvalidCard(ModelError):
    """A model card cannot be understood."""


class UnusableWeights(ModelError):
    """The weights do not behave as their card says."""


class RecognizerError(MienError):
    """A recognizer file cannot be used."""


class RecognizerNotFound(RecognizerError):
    """There is no recognizer file at the path."""


class NotARecognizer(RecognizerError):
    """The file was not written by Mien, or is damaged."""


class ContractMismatch(RecognizerError):
    """Embeddings made in two different ways would be compared."""


class DatasetError(MienError):
    """A dataset or a source of photos cannot be used."""


class SourceNotFound(DatasetError):
    """The folder, archive or list of a source does not exist."""


class UnusableSource(DatasetError):
    """A source exists, but is not a collection of people's photos."""


class UnsafeArchive(DatasetError):
    """An archive has members made to do harm: bombs, links, paths that climb out."""


class EmptyDataset(DatasetError):
    """Not one usable face was found in all the sources."""


class NotADataset(DatasetError):
    """The folder was not made by `mien dataset build`, or is damaged."""


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
    """A file of pairs cannot be understood."""


class NothingToMeasure(EvaluationError):
    """There is no probe, stranger or pair to measure on."""


class GalleryError(MienError):
    """A gallery of people cannot be used, or not in this way."""


class GalleryNotFound(GalleryError):
    """There is no gallery at the path."""


class NotAGallery(GalleryError):
    """The folder holds no gallery that this version can read, or a damaged one."""


class GalleryExists(GalleryError):
    """A gallery cannot be made where there is one already."""


class GalleryBusy(GalleryError):
    """Another process holds the gallery."""


class GalleryLocked(GalleryError):
    """The gallery is encrypted, and the key is missing or another."""


class UnknownPerson(GalleryError):
    """Nobody in the gallery has that name or id."""


class UnknownPicture(GalleryError):
    """No enrolled photo has that id."""


class NameTaken(GalleryError):
    """Somebody else in the gallery has the name."""


class InvalidName(GalleryError):
    """A person cannot be called that."""


class EnrolmentRefused(GalleryError):
    """A photo should not be enrolled.

    Attributes:
        reason: one of `mien.gallery.Reason`.
        evidence: numbers and names behind it, as JSON.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        reason: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.evidence: dict[str, Any] = dict(evidence or {})


class BadExport(GalleryError):
    """The file was not written by `mien gallery export`, or is damaged."""


class ServerError(MienError):
    """The server cannot start, or cannot do what it is asked."""


class UnsafeStart(ServerError):
    """Other machines could reach the server, and it would ask nobody for a key."""


class CannotListen(ServerError):
    """The address cannot be listened at: taken, or not this machine's."""


class ServeNotInstalled(ServerError):
    """The packages that the server is made of are not installed."""


class UnknownKey(ServerError):
    """No key has that id."""


class KeyNeeded(ServerError):
    """The request has no key, or one that does not hold."""


class NotAllowed(ServerError):
    """The key's role may not do this, or the request comes from another site's page."""


class TooManyRequests(ServerError):
    """Requests come faster than the key may make them."""


class ServerBusy(ServerError):
    """As many photos wait as may wait, or the server is stopping."""


class RequestTooLarge(ServerError):
    """The request has more bytes or more files than it may."""


class RequestTooSlow(ServerError):
    """The request did not arrive in time."""


class BadRequest(ServerError):
    """The request cannot be understood."""


class NotServed(ServerError):
    """What is asked for is not served here."""


class JobRefused(ServerError):
    """The job cannot be done, or not in the state it is in."""


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
