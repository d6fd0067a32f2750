"""What a replica keeps when its disk is lost."""

from pathlib import Path

from grootboek.bench.catchup import wipe
from grootboek.node.localnet import create


def test_a_wiped_replica_keeps_what_a_lost_disk_is_replaced_with(tmp_path: Path) -> None:
    create(tmp_path, 1, ("records",))
    folder = tmp_path / "replica-0"
    (folder / "log").mkdir()
    (folder / "log/00").write_bytes(b"entries")
    (folder / "certificate").write_bytes(b"certificate")
    wipe(folder)
    assert {path.name for path in folder.iterdir()} == {
        "keys",
        ".passphrase",
        "config.toml",
        "replica-0.json",
    }
