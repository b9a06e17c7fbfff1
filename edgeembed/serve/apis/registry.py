"""The endpoints of all APIs."""

from collections.abc import Sequence

from edgeembed.serve.apis import openai
from edgeembed.serve.http.endpoint import Endpoint

ENDPOINTS: Sequence[Endpoint] = (*openai.ENDPOINTS,)
