"""Faults that look for their victim find it among what correct replicas do, whatever liars claim."""

import random

from grootboek.ledger import Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.simulation import Plan, Simulation, Weather
from grootboek.simulation.campaign import anchor
from grootboek.simulation.faults import FAULTS
from grootboek.simulation.hunting import front


def test_the_primary_is_that_of_the_correct_replicas() -> None:
    plan = Plan(weather=Weather(), liars={2: "13 view-change storm"})
    run = Simulation(1, plan, Registry.of(Parties, Records), anchor)
    for replica in run.replicas:
        run.boot(replica)
    run.replicas[2].engine.replica.view = 3
    run.replicas[1].engine.replica.view = 1
    run.replicas[1].engine.replica.active = False
    words = FAULTS["8 primary isolated"](run, random.Random(1))
    assert words is not None
    assert words.startswith("primary alone [0] | [1, 2, 3]"), "view 0 is the newest that is open"
    assert (front(run).primary(), front(run).primary(1)) == (0, 1)


def test_where_no_view_is_open_it_is_the_one_that_is_wanted() -> None:
    run = Simulation(1, Plan(weather=Weather()), Registry.of(Parties, Records), anchor)
    for replica in run.replicas:
        run.boot(replica)
        replica.engine.replica.view, replica.engine.replica.active = 2, False
    assert front(run).primary() == 2
