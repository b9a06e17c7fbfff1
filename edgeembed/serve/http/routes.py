"""Which endpoint answers a path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.routing import compile_path

from edgeembed.serve.http.endpoint import Endpoint


@dataclass(frozen=True, kw_only=True)
class Route:
    """An endpoint, and what its pattern found in the path."""

    endpoint: Endpoint
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


class Routes:
    """Endpoints by path: fixed paths by one look-up, the others by their patterns, in order."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        """Sort the endpoints; of two for one method and path, the first is used."""
        self._fixed: dict[str, dict[str, Route]] = {}
        self._patterns = [
            (compile_path(each.path)[0], each) for each in endpoints if "{" in each.path
        ]
        for each in endpoints:
            if "{" not in each.path:
                self._fixed.setdefault(each.path, {}).setdefault(each.method, Route(endpoint=each))

    def find(self, method: str, path: str) -> Route | Sequence[str]:
        """The route of a request, or else the methods that its path has, if any."""
        wanted = "GET" if method == "HEAD" else method
        fixed = self._fixed.get(path)
        if fixed is not None and (route := fixed.get(wanted)) is not None:
            return route
        methods = list(fixed or ())
        for pattern, endpoint in self._patterns:
            if (match := pattern.match(path)) is None:
                continue
            if endpoint.method == wanted:
                return Route(endpoint=endpoint, parameters=match.groupdict())
            methods.append(endpoint.method)
        return sorted(set(methods))
