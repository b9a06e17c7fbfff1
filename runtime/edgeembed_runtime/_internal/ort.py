"""onnxruntime, imported so that it stays offline.

Since 1.29 its import starts a thread that writes a database under ~/.cache/Microsoft and reports
usage over the network, unless ORT_DISABLE_TELEMETRY is set at that moment; switching it off later
does not stop the thread, which also makes a forked child hang at its exit. The variable is set for
the import only. An application that imports onnxruntime before edgeembed has to set it by itself.
"""

import os

_SWITCH = "ORT_DISABLE_TELEMETRY"

_before = os.environ.get(_SWITCH)
os.environ[_SWITCH] = "1"
try:
    import onnxruntime as ort
finally:
    if _before is None:
        del os.environ[_SWITCH]
    else:
        os.environ[_SWITCH] = _before

__all__ = ["ort"]
