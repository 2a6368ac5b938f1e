"""What routes say of themselves in the OpenAPI document."""

from __future__ import annotations

from typing import Any

_USUAL = (400, 401, 403, 408, 413, 422, 429, 503)

_WORDS = {
    400: "The body is no JSON, or no form.",
    401: "A key is needed.",
    403: "Not with this role, or not from that page.",
    404: "There is nothing of that name.",
    408: "The request did not arrive in time.",
    409: "Not as things are: a name is taken, a job is over.",
    412: "No photo came, or none that can be used.",
    413: "More bytes, pixels or files than a request may have.",
    415: "Not a photo in a format that is read.",
    417: "No file was chosen.",
    422: "The request, or the photo, cannot be used as it is.",
    429: "Faster than the key may ask; Retry-After says when.",
    503: "Busy, or not ready; Retry-After says when to ask again.",
    507: "It cannot be written.",
}

Answers = dict[int | str, dict[str, Any]]


def answers(*more: int) -> Answers:
    """Return the problems that a route may answer with: the usual ones and some of its own."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _WORDS[status], "content": content}
        for status in sorted({*_USUAL, *more})
    }


def form(
    *, files: tuple[str, ...] = ("file",), many: bool = False, **fields: Any
) -> dict[str, Any]:
    """Return the description of a form with files.

    Args:
        files: fields that hold a file.
        many: whether they may hold several.
        fields: other fields and their schemas.
    """
    one = {"type": "string", "format": "binary"}
    each: dict[str, Any] = {"type": "array", "items": one, "minItems": 1} if many else one
    schema = {
        "type": "object",
        "required": list(files),
        "properties": {**dict.fromkeys(files, each), **fields},
    }
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
