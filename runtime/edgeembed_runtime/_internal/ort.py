"""onnxruntime, imported with telemetry off.

Since 1.29, importing it starts a thread that writes a database under ~/.cache/Microsoft and reports
usage over the network, unless ORT_DISABLE_TELEMETRY is set at import time. Disabling telemetry
later does not stop the thread, which also makes a forked child hang on exit. The variable is set
only during the import; applications that import onnxruntime first must set it themselves.
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
