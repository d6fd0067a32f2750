"""The deterministic simulator: the shipping engine, ledger, journal and codec on simulated time.

One seed is one run: replicas, network, disks, clocks and clients in one process on one heap of
events. The same seed gives the same history, so a failing run can be looked at again and again.
"""

from grootboek.simulation.monitor import Violation
from grootboek.simulation.network import Weather
from grootboek.simulation.run import Plan, Report, Simulation

__all__ = ["Plan", "Report", "Simulation", "Violation", "Weather"]
