//! The behaviour: what every command does and what follows from a change, as pure state.
