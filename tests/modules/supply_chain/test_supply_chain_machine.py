"""Random events of two parties, right and wrong: S1, S2, S3 and S6 hold after each."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import structs

from grootboek.modules.supply_chain.identifiers import canonical
from grootboek.modules.supply_chain.terms import AcceptCustody, Action, ErrorDeclaration, Event, OfferCustody
from tests.modules.memory_view import APPLIED
from tests.modules.supply_chain.samples import BUYER, HERE, MAKER, THERE, box, item, pack, ready, report, run

NAMES = [pack(1), pack(2), pack(3, "9529999"), box(1), box(2), "https://x.example/7"]
ITEMS = st.sampled_from(NAMES)
GROUPS = st.lists(ITEMS, min_size=1, max_size=3).map(tuple)
PARTIES = st.sampled_from([MAKER, BUYER])
PLACES = st.sampled_from([None, HERE, THERE])
ACTIONS: st.SearchStrategy[Action] = st.sampled_from(["ADD", "OBSERVE", "DELETE"])
TIMES = st.integers(-3, 1)


class SupplyChainMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.host, self.make = ready()
        self.sent: list[tuple[Event, bytes]] = []
        self.commissions: dict[str, int] = {}

    def send(self, event: Event, party: bytes, shift: int) -> bool:
        """Some events come later than they happened."""
        moved = structs.replace(event, eventTime=event.eventTime + min(0, shift) * 90_000)
        (outcome,) = report(self.host, moved, party=party)
        if outcome == APPLIED:
            self.sent.append((moved, party))
        return outcome == APPLIED

    @rule(items=GROUPS, action=ACTIONS, place=PLACES, party=PARTIES, shift=TIMES)
    def see(
        self, items: tuple[str, ...], action: Action, place: str | None, party: bytes, shift: int
    ) -> None:
        if (
            self.send(self.make.see(*items, action=action, bizLocation=place), party, shift)
            and action == "ADD"
        ):
            for name in set(items):
                self.commissions[name] = self.commissions.get(name, 0) + 1

    @rule(parent=ITEMS, children=GROUPS, action=ACTIONS, party=PARTIES, where=st.tuples(PLACES, TIMES))
    def aggregate(
        self,
        parent: str,
        children: tuple[str, ...],
        action: Action,
        party: bytes,
        where: tuple[str | None, int],
    ) -> None:
        place, shift = where
        event = self.make.into(parent, *children, action=action, bizLocation=place)
        if self.send(event, party, shift) and action == "ADD" and shift >= 0:
            assert all(canonical(parent) in item(self.host, child).parents for child in children)

    @rule(parent=ITEMS, party=PARTIES)
    def empty(self, parent: str, party: bytes) -> None:
        if self.send(self.make.out(parent), party, 0):
            assert item(self.host, parent).contents == ()

    @rule(inputs=GROUPS, outputs=GROUPS, party=PARTIES, shift=TIMES)
    def transform(self, inputs: tuple[str, ...], outputs: tuple[str, ...], party: bytes, shift: int) -> None:
        if self.send(self.make.make(inputs, outputs), party, shift):
            for name in set(outputs):
                self.commissions[name] = self.commissions.get(name, 0) + 1

    @rule(name=ITEMS, giver=PARTIES, taker=PARTIES)
    def hand_over(self, name: str, giver: bytes, taker: bytes) -> None:
        offered = run(self.host, OfferCustody((name,), taker), "reporter", giver) == APPLIED
        accepted = run(self.host, AcceptCustody((name,)), "reporter", taker) == APPLIED
        assert accepted or not offered
        if accepted:
            assert item(self.host, name).item.custodian == taker

    @rule(data=st.data(), party=PARTIES, other=st.booleans())
    def repeat(self, data: st.DataObject, party: bytes, other: bool) -> None:
        if not self.sent:
            return
        event, _ = data.draw(st.sampled_from(self.sent))
        rows = dict(self.host.state.rows)
        again = structs.replace(event, bizStep="encoding") if other else event
        assert report(self.host, again, party=party) == ["event-id-taken" if other else APPLIED]
        assert self.host.state.rows == rows

    @rule(data=st.data(), party=PARTIES)
    def declare(self, data: st.DataObject, party: bytes) -> None:
        if self.sent:
            event, _ = data.draw(st.sampled_from(self.sent))
            report(self.host, structs.replace(event, errorDeclaration=ErrorDeclaration(1)), party=party)

    @invariant()
    def holds(self) -> None:
        assert self.host.broken() == []
        assert all(count == 1 for count in self.commissions.values())


TestSupplyChainMachine = SupplyChainMachine.TestCase
TestSupplyChainMachine.settings = settings(max_examples=40, stateful_step_count=40)
