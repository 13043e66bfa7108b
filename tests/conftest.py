"""Options and fixtures that several test modules share."""

from pathlib import Path

import pytest

from ccafl.demo import draw_dataset

OWN_GOLDEN = Path(__file__).parent / "data" / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", type=Path, default=OWN_GOLDEN, help="folder of reference numbers")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Path:
    """Folder of reference numbers to check against."""
    folder: Path = request.config.getoption("--golden")
    return folder.resolve()


@pytest.fixture(scope="session")
def drawn_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn data set: 8 persons for training and 8 for testing, 3 cameras."""
    root = tmp_path_factory.mktemp("drawn") / "small"
    draw_dataset(root, seed=0, identities=8, cameras=3)
    return root
