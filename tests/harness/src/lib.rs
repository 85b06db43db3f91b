//! Runs cases and random command streams on Ochre and on a reference server.
