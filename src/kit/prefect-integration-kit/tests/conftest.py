"""Settings of the kit's tests."""

import os

from hypothesis import HealthCheck, settings

# A busy machine is slow by chance: time limits belong to pytest. CI looks at the same examples every time.
settings.register_profile(
    "kit",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kit")
