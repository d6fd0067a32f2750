"""Importing from file to ledger: staged once, submitted once, reported row by row."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from grootboek.errors import ConfigError, Damaged, ImportFileError, StorageError
from grootboek.modules.importing import (
    Options,
    Prepared,
    Progress,
    Report,
    Staging,
    export,
    report,
    session,
    stage,
    submit,
)
from grootboek.modules.vault import Vault
from grootboek.types import Limits
from grootboek.wire import APPLIED, commands, decode
from tests.modules.driver import CHAIN, Driver
from tests.modules.importing.samples import Lines, Sequence, table
from tests.modules.memory_view import Host


@pytest.fixture
def vault() -> Iterator[Vault]:
    with Vault(":memory:", bytes(32)) as made:
        yield made


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging(tmp_path / "staging", CHAIN, Lines) as made:
        yield made


def counts(result: Report) -> tuple[int, ...]:
    return result.accepted, result.known, result.warned, result.refused, result.applied, result.pending


async def test_a_file_goes_in_once(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    path = table(tmp_path, "a,1,", "b,2,hello", "c,3,bad", "d,4,")
    driver = Driver(Host(Lines()))
    result = stage(Lines, [path], vault=vault, staging=staging)
    assert counts(result) == (3, 0, 1, 1, 0, 3)
    result = await driver.submit(result, staging)
    assert counts(result) == (3, 0, 1, 1, 3, 0)
    assert result.reasons == {"note-bad": 1}
    assert result.files[0].warned[0].locator == "row 3"
    rows = dict(driver.host.state.rows)

    again = await driver.submit(stage(Lines, [path], vault=vault, staging=staging), staging)
    assert counts(again) == (0, 3, 1, 1, 3, 0)
    assert len(driver.sent) == 1
    assert driver.host.state.rows == rows


async def test_a_run_that_was_cut_short_goes_on_with_the_same_bytes(tmp_path: Path, vault: Vault) -> None:
    path = table(tmp_path, *(f"k{i},{i}," for i in range(20)))
    driver = Driver(Host(Lines()))

    async def lost(signed: bytes) -> list[str]:
        await driver.send(signed)
        raise ConnectionError

    with Staging(tmp_path, CHAIN, Lines) as staging:
        stage(Lines, [path], vault=vault, staging=staging)
        with pytest.raises(ConnectionError):
            await submit(staging, driver.sign, lost)
    with Staging(tmp_path, CHAIN, Lines) as staging:
        result = stage(Lines, [path], vault=vault, staging=staging)
        assert counts(result) == (0, 20, 0, 0, 0, 20)
        result = await driver.submit(result, staging)
    assert len(driver.sent) == 2
    assert driver.sent[0] == driver.sent[1]
    assert counts(result) == (0, 20, 0, 0, 20, 0)
    assert driver.host.height == 20


async def test_a_corrected_file_sends_only_what_is_new(
    tmp_path: Path, vault: Vault, staging: Staging
) -> None:
    driver = Driver(Host(Lines()))
    first = table(tmp_path, "a,1,", "b,2,bad", name="first.csv")
    result = await driver.submit(stage(Lines, [first], vault=vault, staging=staging), staging)
    ((name, text),) = export(result, Lines)
    assert name == "first.refused.csv"
    assert text.splitlines() == [
        "key,text,note,refused_rule,refused_reason",
        "b,2,bad,note-bad,the note says so",
    ]
    second = tmp_path / "second.csv"
    second.write_text(text.replace(",bad,", ",,"), encoding="utf-8")
    result = await driver.submit(stage(Lines, [second], vault=vault, staging=staging), staging)
    assert counts(result) == (1, 0, 0, 0, 1, 0)
    whole = table(tmp_path, "a,1,", "b,2,", "c,3,", name="whole.csv")
    result = await driver.submit(stage(Lines, [whole], vault=vault, staging=staging), staging)
    assert counts(result) == (1, 2, 0, 0, 3, 0)


async def test_what_the_ledger_refuses_is_reported_exported_and_tried_again(
    tmp_path: Path, vault: Vault, staging: Staging
) -> None:
    driver = Driver(Host(Lines()))
    path = table(tmp_path, "a,1,", "a,2,", "b,3,")
    result = await driver.submit(stage(Lines, [path], vault=vault, staging=staging), staging)
    assert counts(result) == (3, 0, 0, 1, 2, 0)
    assert result.reasons == {"version-mismatch": 1}
    assert "row 3" in [row.locator for row in result.files[0].rejected]
    ((_, text),) = export(result, Lines)
    assert text.splitlines()[1].startswith("a,2,,version-mismatch,")

    result = await driver.submit(stage(Lines, [path], vault=vault, staging=staging), staging)
    assert counts(result) == (0, 3, 0, 1, 2, 0)

    driver.host.state.rows.clear()
    corrected = tmp_path / "again.csv"
    corrected.write_text(text, encoding="utf-8", newline="")
    result = stage(Lines, [corrected], vault=vault, staging=staging)
    assert counts(result) == (0, 1, 0, 0, 0, 1)
    result = await driver.submit(result, staging)
    assert counts(result) == (0, 1, 0, 0, 1, 0)


async def test_a_dry_run_leaves_nothing_behind(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    wrong = table(tmp_path, "a,1,", "b,2,bad", name="wrong.csv")
    result = stage(Lines, [wrong], vault=vault, staging=staging, keep=False)
    assert counts(result) == (1, 0, 0, 1, 0, 1)
    assert staging.pending() == []
    assert vault.openings(b"p" * 16, "a") == []
    driver = Driver(Host(Lines()))
    right = table(tmp_path, "a,3,", name="right.csv")
    result = await driver.submit(stage(Lines, [right], vault=vault, staging=staging), staging)
    assert counts(result) == (1, 0, 0, 0, 1, 0)
    assert driver.host.height == 1


async def test_an_expired_transaction_is_signed_anew(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    driver = Driver(Host(Lines()))
    answers: list[list[str] | None] = [None, [APPLIED]]
    nonces: list[int] = []

    def sign(prepared: Prepared) -> bytes:
        nonces.append(prepared.nonce)
        return driver.sign(prepared)

    async def send(_: bytes) -> list[str] | None:
        return answers.pop(0)

    result = stage(Lines, [table(tmp_path, "a,1,")], vault=vault, staging=staging)
    await submit(staging, sign, send)
    assert report(result, staging).applied == 1
    assert len(set(nonces)) == 2


async def test_waves_and_roles_do_not_mix(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    stage(Lines, [table(tmp_path, "a,1,late", "b,2,", "c,3,late")], vault=vault, staging=staging)
    (first,) = staging.pending()
    assert (first.role, len(first.commands)) == ("a", 1)
    staging.settle(first, [APPLIED])
    (second,) = staging.pending()
    assert (second.role, len(second.commands)) == ("b", 2)
    staging.settle(second, [APPLIED, "no"])
    assert staging.pending() == []


def test_transactions_stay_within_the_limits(tmp_path: Path, vault: Vault) -> None:
    path = table(tmp_path, *(f"k{i},{i}," for i in range(120)))
    with Staging(tmp_path, CHAIN, Lines, limits=Limits(transaction_bytes=8_000)) as staging:
        stage(Lines, [path], vault=vault, staging=staging)
        ready = staging.pending()
        sizes = [sum(map(len, prepared.commands)) for prepared in ready]
        assert sum(len(prepared.commands) for prepared in ready) == 120
        assert max(sizes) < 4_000
        order = [decode(commands, one).body for prepared in ready for one in prepared.commands]
    with Staging(tmp_path / "few", CHAIN, Lines) as staging:
        stage(Lines, [path], vault=vault, staging=staging, commands=50)
        ready = staging.pending()
        assert [len(prepared.commands) for prepared in ready] == [50, 50, 20]
        assert [decode(commands, one).body for prepared in ready for one in prepared.commands] == order


def test_rows_that_build_on_one_another_are_sent_in_turn(tmp_path: Path, vault: Vault) -> None:
    path = table(tmp_path, *(f"k{i},{i}," for i in range(5)))
    with Staging(tmp_path, CHAIN, Sequence) as staging:
        stage(Sequence, [path], vault=vault, staging=staging, commands=2)
        sizes = []
        while ready := staging.pending():
            (prepared,) = ready
            sizes.append(len(prepared.commands))
            staging.settle(prepared, [APPLIED] * len(prepared.commands))
    assert sizes == [2, 2, 1]


def test_a_command_that_is_too_large_is_refused(tmp_path: Path, vault: Vault) -> None:
    with Staging(tmp_path, CHAIN, Lines, limits=Limits(command_bytes=4_180)) as staging:
        result = stage(Lines, [table(tmp_path, "a,1,", f"{'k' * 90},2,")], vault=vault, staging=staging)
    assert result.reasons == {"GB-1002": 1}
    assert result.accepted == 1


def test_salts_differ_and_stay(tmp_path: Path, vault: Vault) -> None:
    path = table(tmp_path, "a,1,", "b,2,")
    found = []
    for _ in range(2):
        with Staging(tmp_path, CHAIN, Lines) as staging:
            stage(Lines, [path], vault=vault, staging=staging)
            (prepared,) = staging.pending()
            found.append([decode(commands, one).salt for one in prepared.commands])
    assert found[0] == found[1]
    assert len(set(found[0])) == 2


def test_progress_is_told(
    tmp_path: Path, vault: Vault, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ROWS_A_BATCH", 4)
    told: list[Progress] = []
    paths = [table(tmp_path, *(f"{n}{i},1," for i in range(9)), name=f"{n}.csv") for n in "ab"]
    stage(Lines, paths, vault=vault, staging=staging, progress=told.append)
    assert [(one.file_number, one.rows) for one in told] == [(1, 4), (1, 8), (2, 12), (2, 16), (2, 18)]
    assert {one.files for one in told} == {2}


def test_folders_are_read_by_name(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("b.csv", "a.csv"):
        table(folder, f"{name},1,", name=name)
    result = stage(Lines, [folder], vault=vault, staging=staging)
    assert [Path(file.path).name for file in result.files] == ["a.csv", "b.csv"]


def test_a_file_of_no_known_format_is_one_refused_row(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    (tmp_path / "x.csv").write_text("this is no table")
    result = stage(Lines, [tmp_path / "x.csv", table(tmp_path, "a,1,")], vault=vault, staging=staging)
    assert result.reasons == {"GB-3001": 1}
    assert result.accepted == 1
    assert list(export(result, Lines)) == []


def test_a_file_that_is_refused_as_a_whole_does_not_hide_the_rows_of_others(
    tmp_path: Path, vault: Vault, staging: Staging
) -> None:
    utf_16 = tmp_path / "a.csv"
    utf_16.write_bytes("key,text,note\n".encode("utf-16"))
    told = Options(format="lines")
    files = [utf_16, table(tmp_path, "b,1,bad", name="b.csv")]
    result = stage(Lines, files, vault=vault, staging=staging, options=told)
    assert result.reasons == {"GB-3001": 1, "note-bad": 1}
    assert [name for name, _ in export(result, Lines, told)] == ["b.refused.csv"]


def test_an_empty_file_says_so(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    (tmp_path / "x.csv").write_text("")
    result = stage(Lines, [tmp_path / "x.csv"], vault=vault, staging=staging)
    assert result.files[0].refused[0].problems[0].message == "the file is empty"


def test_a_format_may_be_told(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    path = table(tmp_path, "a,1", header="Sleutel,Tekst")
    columns = {"key": "Sleutel", "text": "Tekst"}
    told = Options(format="lines", columns=columns)
    assert stage(Lines, [path], vault=vault, staging=staging, options=told).accepted == 1
    with pytest.raises(ConfigError, match="no format 'xml'; there are lines"):
        stage(Lines, [path], vault=vault, staging=staging, options=Options(format="xml"))


def test_a_setting_that_no_importer_knows_is_refused(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    path = table(tmp_path, "a,1,")
    with pytest.raises(ConfigError, match="no setting 'colour'; there is none"):
        stage(Lines, [path], vault=vault, staging=staging, options=Options(settings={"colour": "red"}))


def test_mapped_columns_are_enough_to_find_the_format(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    path = table(tmp_path, "a,1", header="Sleutel,Tekst")
    columns = {"key": "Sleutel", "text": "Tekst"}
    result = stage(Lines, [path], vault=vault, staging=staging, options=Options(columns=columns))
    assert result.accepted == 1


def test_a_missing_file_stops_before_anything_is_staged(
    tmp_path: Path, vault: Vault, staging: Staging
) -> None:
    with pytest.raises(ImportFileError, match="No such file"):
        stage(Lines, [table(tmp_path, "a,1,"), tmp_path / "no.csv"], vault=vault, staging=staging)
    assert staging.pending() == []


def test_a_file_full_of_bad_rows_is_given_up(
    tmp_path: Path, vault: Vault, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "REFUSED_MAX", 10)
    monkeypatch.setattr(session, "ROWS_A_BATCH", 8)
    path = table(tmp_path, "good,1,", *["b,1,bad"] * 40)
    result = stage(Lines, [path], vault=vault, staging=staging)
    assert result.reasons == {"GB-3001": 1, "note-bad": 11}
    assert result.accepted == 1


def test_outcomes_must_be_complete(tmp_path: Path, vault: Vault, staging: Staging) -> None:
    stage(Lines, [table(tmp_path, "a,1,", "b,2,")], vault=vault, staging=staging)
    (prepared,) = staging.pending()
    with pytest.raises(ValueError, match="2 commands have 1 outcomes"):
        staging.settle(prepared, [APPLIED])


def test_a_damaged_staging_file_is_named(tmp_path: Path) -> None:
    Staging(tmp_path, CHAIN, Lines).close()
    (path,) = tmp_path.glob("*.sqlite")
    path.write_bytes(b"not a database" * 500)
    with pytest.raises(Damaged) as caught:
        Staging(tmp_path, CHAIN, Lines)
    assert caught.value.where == str(path)


def test_a_staging_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Staging(tmp_path / "file" / "below", CHAIN, Lines)


async def test_no_plaintext_is_in_the_staging_file(tmp_path: Path, vault: Vault) -> None:
    path = table(tmp_path, "a,Jansje van der Meer,", "b,Jansje van der Meer,bad")
    with Staging(tmp_path / "s", CHAIN, Lines) as staging:
        await Driver(Host(Lines())).submit(stage(Lines, [path], vault=vault, staging=staging), staging)
    content = b"".join(one.read_bytes() for one in (tmp_path / "s").iterdir())
    assert b"Jansje" not in content
