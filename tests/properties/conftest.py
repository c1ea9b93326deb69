"""Profiles: the same few examples in every run; ``--hypothesis-profile=long`` draws many new ones."""

from hypothesis import HealthCheck, settings

QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("long", max_examples=400, deadline=None, suppress_health_check=QUIET)
settings.register_profile(
    "suite", max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET
)
settings.load_profile("suite")
