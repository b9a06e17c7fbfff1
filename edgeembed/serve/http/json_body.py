"""JSON bodies: decoded to msgspec types, strictly, and answers encoded."""

import json
import re
from typing import Any, TypeVar

import msgspec

from edgeembed.serve.base.errors import InvalidRequestError
from edgeembed.serve.http.choices import choices_at
from edgeembed.serve.http.endpoint import Request, Response

T = TypeVar("T")
_UNKNOWN = "invalid enum value"
_ENCODER = msgspec.json.Encoder()
# How msgspec ends its messages: " - at `$.input[0]`".
_PLACE = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")


def decoded(request: Request, decoder: "msgspec.json.Decoder[T]") -> T:
    """Return the body as the decoder's type.

    Raises:
        InvalidRequestError: it is not UTF-8 or JSON, is nested too deep, names a key twice, has a
            NaN, or is not of the type; `param` says where.
    """
    try:
        value = decoder.decode(request.body)
        _STRICT.decode(request.body.decode("utf-8"))
    except msgspec.ValidationError as error:
        message = str(error)
        place = _PLACE.search(message)
        if place is None or not place[1]:
            raise InvalidRequestError(f"body: {_lower(message)}") from error
        what = _lower(message[: place.start()])
        if what.startswith(_UNKNOWN) and (known := choices_at(decoder.type, place[1])):
            got = what.removeprefix(_UNKNOWN).strip()
            what = f"expected {', '.join(known)}, got {got}"
        raise InvalidRequestError(f"{place[1]}: {what}", param=place[1]) from error
    except RecursionError as error:
        raise InvalidRequestError("body: expected JSON, got one that is nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        what = "half a character" if _has_halves(request.body) else str(error)
        what = what if request.body.strip() else "nothing"
        raise InvalidRequestError(f"body: expected JSON in UTF-8, got: {what}") from error
    return value


def json_response(value: object) -> Response:
    """An answer of a msgspec type, or of what else msgspec encodes; `msgspec.Raw` goes as it is."""
    return Response(body=_ENCODER.encode(value))


def _has_halves(body: bytes) -> bool:
    """Whether a body is JSON, but for halves of characters, for which msgspec has no word."""
    try:
        json.dumps(json.loads(body, parse_int=str), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        pass
    return False


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise InvalidRequestError(f"{twice:.100}: expected once, got twice", param=twice[:100])


# Numbers stay as they are written: Python reads none of more than 4,300 digits.
_STRICT = json.JSONDecoder(object_pairs_hook=_distinct, parse_int=str, parse_float=str)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:].replace("`", "")
