"""The demo as a newcomer runs it: one process, one JSON object, nothing left behind."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grootboek.cli.exits import Exit
from grootboek.node.localnet import Localnet


@pytest.mark.timeout(180)
def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    folder = tmp_path / "D"
    command = [sys.executable, "-m", "grootboek.cli", "demo", "--json", "--keep", "--dir", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=170)
    network = Localnet(folder)
    try:
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)
        assert all(process.ready for process in network.status())
    finally:
        network.stop()
    assert shown["lost"] == 0
    assert shown["roots_equal"] is True
    assert shown["receipts_verified"] == shown["transactions"] > 0
    assert shown["committed"] > 1_500
    assert shown["view_changes"] >= 1
    assert shown["under_way"] >= 1
    assert shown["refused"]
    assert {one["module"]: one["as_expected"] for one in shown["sets"]} == {
        "tax": True,
        "welfare": True,
        "supply_chain": True,
    }


def take_sigint() -> None:
    """A shell starts background jobs with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("moment", "delay"),
    [("importing", 0.0), pytest.param("killing", 0.5, id="while transactions wait for a new primary")],
)
def test_ctrl_c_ends_the_demo_and_its_daemons(tmp_path: Path, moment: str, delay: float) -> None:
    folder = tmp_path / "D"
    command = [sys.executable, "-m", "grootboek.cli", "demo", "--dir", str(folder)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=take_sigint,  # noqa: PLW1509  # this process has no other threads here
    ) as demo:
        assert demo.stderr is not None
        while moment not in demo.stderr.readline():
            assert demo.poll() is None
        time.sleep(delay)
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=60)
    assert demo.returncode == Exit.INTERRUPTED
    assert "Traceback" not in said
    assert [process.pid for process in Localnet(folder).status()] == [None] * 4
