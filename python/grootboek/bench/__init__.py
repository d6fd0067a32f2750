"""Measuring a cluster of real daemons: ``grootboek bench cluster``."""
