"""Files and proofs that are no good: what each is called, what reads it, and the code that it must get."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from grootboek import receipts
from grootboek.client.verifier import Verifier
from grootboek.ledger.module import Module
from grootboek.modules.importing import Report, Staging, stage
from grootboek.modules.supply_chain import SupplyChain
from grootboek.modules.tax import Tax
from grootboek.modules.vault import Vault
from grootboek.modules.welfare import Welfare
from grootboek.network.tls import client_context, mesh_contexts
from grootboek.node import config, keystore
from grootboek.node.keystore import Identity, ReplicaKeys
from grootboek.proofs import Receipt, StateProof
from grootboek.simulation.founding import found
from grootboek.types import Genesis
from grootboek.wire import encode
from tests.node.cluster import Cluster

Do = Callable[[Path], object]
Row = tuple[str, Do, str]
SECRET = b"correct horse"


# --- receipts and state proofs -------------------------------------------------------------------


class Proven:
    """A ledger of one block, and proofs of it."""

    def __init__(self) -> None:
        cluster = Cluster(4).start()
        self.genesis = cluster.genesis
        identity = cluster.prepared(1).id
        cluster.commit(1, 2, 3)
        cluster.run()
        engine = cluster.engine(0)
        certificate = engine.ledger.certificate
        assert certificate is not None
        log = engine.signers.log(certificate)
        self.receipt = engine.ledger.receipt(identity, certificate, log)
        self.state = engine.ledger.state_proof("records", b"no such key", 1)
        self.verifier = Verifier(self.genesis)


@cache
def proven() -> Proven:
    return Proven()


def receipt(change: Callable[[Receipt], Receipt]) -> Do:
    return lambda _: proven().verifier.verify_receipt(change(proven().receipt))


def receipt_bytes(change: Callable[[Receipt], bytes]) -> Do:
    return lambda _: proven().verifier.verify_receipt(change(proven().receipt))


def certified(change: Callable[[Receipt], Mapping[str, object]]) -> Do:
    return receipt(lambda r: replace(r, certificate=replace(r.certificate, **change(r))))


def state(**changes: object) -> Do:
    return lambda _: proven().verifier.verify_state_proof(replace(proven().state, **changes))


def state_bytes(change: Callable[[StateProof], bytes]) -> Do:
    return lambda _: proven().verifier.verify_state_proof(change(proven().state))


def elsewhere(_: Path) -> None:
    genesis, _keys = found(4, {"records": 1})
    Verifier(replace(genesis, name="other.invalid/ledger")).verify_receipt(proven().receipt)


def with_a_changed_bit(r: Receipt) -> Receipt:
    record = r.records[0]
    return replace(r, records=(replace(record, entry=record.entry.replace(b"applied", b"applieD")),))


PROOFS: list[Row] = [
    ("receipt malformed: empty", receipt_bytes(lambda _: b""), "GB-4003"),
    ("receipt malformed: cut off", receipt_bytes(lambda r: receipts.encode(r)[:-1]), "GB-4003"),
    ("receipt malformed: no JSON", receipt_bytes(lambda _: b"{"), "GB-4003"),
    ("receipt malformed: no text", receipt_bytes(lambda _: b"c2sp.org/tlog-proof@v1\n"), "GB-4003"),
    ("receipt malformed: not UTF-8", receipt_bytes(lambda _: b"c2sp.org/\xff"), "GB-4003"),
    ("receipt non-canonical: bytes after it", receipt_bytes(lambda r: encode(r) + b"\0"), "GB-4003"),
    ("receipt non-canonical: text", receipt_bytes(lambda r: _text(r) + b"\n"), "GB-4003"),
    ("receipt of a foreign chain", elsewhere, "GB-4002"),
    ("receipt wrongly signed: the log", receipt(lambda r: replace(r, log=(1, r.log[1]))), "GB-4002"),
    ("receipt wrongly signed: by nobody", receipt(lambda r: replace(r, log=(99, r.log[1]))), "GB-4002"),
    (
        "receipt short of a quorum",
        certified(lambda r: {"cosignatures": r.certificate.cosignatures[1:]}),
        "GB-4002",
    ),
    (
        "receipt with one cosigner twice",
        certified(lambda r: {"cosignatures": r.certificate.cosignatures[:1] * 3}),
        "GB-4002",
    ),
    (
        "receipt with a cosignature of another time",
        certified(
            lambda r: {"cosignatures": tuple(replace(c, time=c.time + 1) for c in r.certificate.cosignatures)}
        ),
        "GB-4002",
    ),
    ("receipt for another root", certified(lambda _: {"root": bytes(32)}), "GB-4002"),
    ("receipt for size 0", certified(lambda _: {"size": 0}), "GB-4002"),
    (
        "receipt oversized: the block",
        certified(lambda r: {"block": r.certificate.block[:1] + bytes(70_000)}),
        "GB-4002",
    ),
    ("receipt at another index", receipt(lambda r: replace(r, index=r.index + 1)), "GB-4001"),
    ("receipt with a path too long", receipt(lambda r: replace(r, path=(*r.path, bytes(32)))), "GB-4001"),
    ("receipt with a changed record", receipt(with_a_changed_bit), "GB-4001"),
    ("receipt of no record", receipt(lambda r: replace(r, records=())), "GB-4003"),
    ("receipt of one record twice", receipt(lambda r: replace(r, records=r.records * 2)), "GB-4003"),
    (
        "receipt with a record for a header",
        receipt(lambda r: replace(r, header=r.records[0].entry)),
        "GB-4003",
    ),
    (
        "receipt with another command's path",
        receipt(lambda r: replace(r, records=(replace(r.records[0], command_path=(bytes(32),)),))),
        "GB-4001",
    ),
    (
        "receipt oversized: a record",
        receipt(lambda r: replace(r, records=(replace(r.records[0], entry=_padded(r)),))),
        "GB-4001",
    ),
    ("state proof malformed", state_bytes(lambda p: encode(p)[:-1]), "GB-4001"),
    ("state proof non-canonical", state_bytes(lambda p: encode(p) + b"\0"), "GB-4001"),
    ("state proof of another key", state(key=b"other"), "GB-4001"),
    ("state proof of a value that is not there", state(value=b"rich"), "GB-4001"),
    ("state proof with a changed path", state(proof=b"\x01"), "GB-4001"),
    ("state proof of no block", state(block=b"\x02"), "GB-4001"),
    ("state proof at another index", state(index=0), "GB-4001"),
]


def _text(r: Receipt) -> bytes:
    return receipts.to_text(proven().genesis, r).encode()


def _padded(r: Receipt) -> bytes:
    """A record entry with more bytes than a log entry can have."""
    entry = msgspec.msgpack.decode(r.records[0].entry[1:])
    entry[4] = "x" * 70_000
    return r.records[0].entry[:1] + msgspec.msgpack.encode(entry)


# --- configuration, genesis and key files --------------------------------------------------------


def configured(text: str | bytes, env: Mapping[str, str] | None = None, **flags: object) -> Do:
    def do(folder: Path) -> object:
        path = folder / "config.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return config.load(path, env or {}, flags)

    return do


def founded(**changes: object) -> Do:
    """Load a genesis file with some fields changed."""

    def do(folder: Path) -> object:
        genesis, _ = found(4, {"records": 1})
        value = json.loads(genesis.to_json())
        return genesis_bytes(json.dumps(value | changes).encode())(folder)

    return do


def genesis_bytes(data: bytes) -> Do:
    def do(folder: Path) -> object:
        path = folder / "genesis.json"
        path.write_bytes(data)
        return Genesis.load(path)

    return do


def replicas(**changes: object) -> Do:
    genesis, _ = found(2, {})
    first, second = json.loads(genesis.to_json())["replicas"]
    return founded(replicas=[first, second | {k: first.get(v, v) for k, v in changes.items()}])


def key_file(change: Callable[[Path], object], secret: bytes = SECRET) -> Do:
    def do(folder: Path) -> object:
        path = folder / "key"
        keystore.save(path, Identity.generate("clerk"), SECRET, 10)
        change(path)
        return keystore.load(path, secret, Identity)

    return do


def fields(**changes: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def of_another_replica(_: Path) -> None:
    info = ReplicaKeys.generate("replica-0").public("127.0.0.1:1", "127.0.0.1:2")
    ReplicaKeys.generate("replica-0").check(info)


def with_certificate(which: str, k: int) -> Do:
    """What replica 0, or a client, makes of it where replica k's certificate is cut off."""

    def do(_: Path) -> object:
        keys = [ReplicaKeys.generate(f"replica-{i}") for i in range(2)]
        infos = [one.public(f"127.0.0.1:{2 * i + 1}", f"127.0.0.1:{2 * i + 2}") for i, one in enumerate(keys)]
        whole = [b64decode(getattr(info, f"{which}_certificate")) for info in infos]
        whole[k] = whole[k][:-1]
        if which == "api":
            return client_context(whole)
        if k == 0:
            keys[0].check(replace(infos[0], transport_certificate=b64encode(whole[0]).decode()))
        return mesh_contexts(whole[0], keys[0].transport, whole[1:])

    return do


NEEDED = 'data = "d"\ngenesis = "g"\n'

SETTINGS: list[Row] = [
    ("config malformed: no TOML", configured("data = "), "GB-5001"),
    ("config malformed: not UTF-8", configured(b"data = '\xff'"), "GB-5001"),
    ("config with an unknown key", configured(NEEDED + "dta = 1"), "GB-5001"),
    ("config with a wrong type", configured("data = 1\ngenesis = 'g'"), "GB-5001"),
    ("config with a wrong address", configured(NEEDED + "listen = 'nowhere'"), "GB-5001"),
    ("config with a port that is too large", configured(NEEDED + "api = '127.0.0.1:70000'"), "GB-5001"),
    ("config without what it needs", configured(""), "GB-5001"),
    ("config: an unknown variable", configured(NEEDED, {"GROOTBOEK_LISTN": "a:1"}), "GB-5001"),
    ("config: an unknown flag", configured(NEEDED, None, lsten="a:1"), "GB-5001"),
    ("config with nesting without end", configured("data = " + "[" * 5_000), "GB-5001"),
    ("config with a number without end", configured("data = " + "9" * 5_000), "GB-5001"),
    ("config with a path that is none", configured('data = "a\\u0000b"'), "GB-5001"),
    ("config with a host that is none", configured(NEEDED + "listen = 'a..b:1'"), "GB-5001"),
    ("config with a port without end", configured(NEEDED + f"listen = 'a:{'9' * 5_000}'"), "GB-5001"),
    ("config is not there", lambda folder: config.load(folder / "none", {}, {}), "GB-5001"),
    ("genesis malformed: no JSON", genesis_bytes(b"{"), "GB-5002"),
    ("genesis malformed: not UTF-8", genesis_bytes(b'{"name": "\xff"}'), "GB-5002"),
    ("genesis is not there", lambda folder: Genesis.load(folder / "none"), "GB-5002"),
    ("genesis with an unknown field", founded(extra=1), "GB-5002"),
    ("genesis of another format", founded(format="grootboek-genesis/2"), "GB-5002"),
    ("genesis with a bad name", founded(name="a b"), "GB-5002"),
    ("genesis with no replicas", founded(replicas=[]), "GB-5002"),
    ("genesis with one key twice", replicas(voting="voting"), "GB-5002"),
    ("genesis with one name twice", replicas(name="name"), "GB-5002"),
    ("genesis with a key too short", replicas(voting="00"), "GB-5002"),
    ("genesis non-canonical: a key in capitals", replicas(log="AB" * 32), "GB-5002"),
    ("genesis with a certificate that is none", replicas(transport_certificate="%"), "GB-5002"),
    ("genesis with this replica's certificate damaged", with_certificate("transport", 0), "GB-5002"),
    ("genesis with another's certificate damaged", with_certificate("transport", 1), "GB-5002"),
    ("genesis with an API certificate damaged", with_certificate("api", 1), "GB-5002"),
    ("genesis with a limit of 0", founded(limits={"window": 0}), "GB-5002"),
    ("genesis oversized: limits beyond a log entry", founded(limits={"command_bytes": 1 << 20}), "GB-5002"),
    ("key file malformed", key_file(lambda path: path.write_bytes(b"{")), "GB-5003"),
    ("key file oversized", key_file(lambda path: path.write_bytes(b" " * (65 << 10))), "GB-5003"),
    ("key file of another format", key_file(fields(format="grootboek-keys/2")), "GB-5003"),
    ("key file with an unknown field", key_file(fields(extra=1)), "GB-5003"),
    ("key file for another purpose", key_file(fields(kind="replica")), "GB-5003"),
    ("key file renamed", key_file(fields(name="other")), "GB-5003"),
    (
        "key file that asks for all memory",
        key_file(fields(scrypt={"log2_n": 40, "salt": "AAAAAAAAAAAAAAAAAAAAAA=="})),
        "GB-5003",
    ),
    ("key file with the wrong passphrase", key_file(lambda _: None, b"wrong"), "GB-5003"),
    ("key file that others may read", key_file(lambda path: path.chmod(0o640)), "GB-5003"),
    ("key file is not there", key_file(Path.unlink), "GB-5003"),
    ("key file of another replica", of_another_replica, "GB-5003"),
]


# --- files to be imported ------------------------------------------------------------------------


def imported(folder: Path, module: type[Module], name: str, data: str | bytes) -> Report:
    """Stage one file; nothing is left behind by a file that cannot be imported."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    chain = found(1, {})[0].chain
    with Vault.at(folder / "work") as vault, Staging(folder / "work", chain, module) as staging:
        return stage(module, [path], vault=vault, staging=staging)


BOMB = '<!DOCTYPE a [<!ENTITY b "' + "x" * 100 + '"><!ENTITY c "&b;&b;">]><a>&c;</a>'
LIST = "scheme,person,iban,period,amount\nrent,T1,NL91ABNA0417164300,2026-01,100.00\n"
"""A list with one good row; the next row is the bad one."""


def _row(
    person: str = "T2", iban: str = "NL91ABNA0417164300", period: str = "2026-01", amount: str = "1.00"
) -> str:
    return f"rent,{person},{iban},{period},{amount}\n"


IMPORTS: list[tuple[str, type[Module], str, str | bytes, str]] = [
    ("list in no format", Welfare, "a.csv", "hello\n", "GB-3001"),
    ("list that is empty", Welfare, "a.csv", "", "GB-3001"),
    ("list that is binary", Welfare, "a.csv", bytes(range(256)), "GB-3001"),
    ("events that are no JSON", SupplyChain, "a.jsonld", "{", "GB-3001"),
    ("events of another kind", SupplyChain, "a.jsonld", '{"type": "Other"}', "GB-3001"),
    ("invoices in no format", Tax, "a.csv", "hello\n", "GB-3001"),
    ("invoice of another kind", Tax, "a.xml", "<a/>", "GB-3001"),
    ("invoice that is a bomb", Tax, "a.xml", BOMB, "GB-3001"),
    (
        "row with a field too few",
        Welfare,
        "a.csv",
        LIST + "rent,T2,NL91ABNA0417164300,2026-01\n",
        "field-count",
    ),
    ("row with a wrong account", Welfare, "a.csv", LIST + _row(iban="NL92ABNA0417164300"), "iban-check"),
    ("row with a wrong amount", Welfare, "a.csv", LIST + _row(amount="lots"), "amount-form"),
    ("row with a wrong month", Welfare, "a.csv", LIST + _row(period="2026-13"), "period-form"),
    ("row with no person", Welfare, "a.csv", LIST + _row(person=""), "value-missing"),
    ("row oversized", Welfare, "a.csv", LIST + _row(person="x" * (1 << 20)), "csv-form"),
]
"""Name, module, file, content, and the one reason in the report; a good row beside it is accepted."""
