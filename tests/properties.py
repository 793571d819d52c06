"""How thoroughly Hypothesis looks: enough to find, on a machine that may be busy."""

from hypothesis import HealthCheck, settings

quick = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)
