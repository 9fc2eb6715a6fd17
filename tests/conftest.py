"""Options and settings that hold for all tests."""

import hypothesis
import pytest

# A failing example prints how to replay it. Deadlines would measure the machine, not the code.
hypothesis.settings.register_profile("imp", deadline=None, print_blob=True)
hypothesis.settings.load_profile("imp")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the slow suites; their defaults are the reduced form that `make test` runs."""
    parser.addoption("--crash-cycles", type=int, default=50, help="kill and reopen cycles in tests/crash")


@pytest.fixture(scope="session")
def crash_cycles(request: pytest.FixtureRequest) -> int:
    """How often the crash tests kill and reopen the engine."""
    return int(request.config.getoption("--crash-cycles"))
