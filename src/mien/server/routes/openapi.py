"""Parts of the OpenAPI document shared by the routes."""

from __future__ import annotations

from typing import Any

_COMMON = (400, 401, 403, 408, 413, 422, 429, 503)

_DESCRIPTIONS = {
    400: "The body is not valid JSON or not a valid form.",
    401: "An API key is required.",
    403: "The role is not sufficient, or the request comes from another site.",
    404: "Not found.",
    408: "The request did not arrive in time.",
    409: "Conflict: a name is in use, or a job has finished.",
    412: "No photo was sent, or it cannot be used.",
    413: "Too many bytes, pixels or files in a request.",
    415: "Not a photo in a supported format.",
    417: "No file was chosen.",
    422: "The request or the photo is not valid.",
    429: "Rate limit exceeded; see Retry-After.",
    503: "Busy or not ready; see Retry-After.",
    507: "The data cannot be written to disk.",
}

Responses = dict[int | str, dict[str, Any]]


def problem_responses(*more: int) -> Responses:
    """Return the problem responses of a route: the common statuses and further ones."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _DESCRIPTIONS[status], "content": content}
        for status in sorted({*_COMMON, *more})
    }


def multipart_body(
    *, files: tuple[str, ...] = ("file",), many: bool = False, **fields: Any
) -> dict[str, Any]:
    """Return the description of a multipart form with files.

    Args:
        files: names of the file fields.
        many: whether a field accepts several files.
        fields: schemas of other fields.
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
