//! End to end, faults, simulation.
