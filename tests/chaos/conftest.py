"""The libraries that are preloaded into daemons."""

from pathlib import Path

import pytest

from tests.bad_input.preloading import DISK_FAULTS, compiled

CLOCK_OFFSET = Path(__file__).with_name("clock_offset.c")


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("libraries")
    return [compiled(source, folder) for source in (DISK_FAULTS, CLOCK_OFFSET)]
