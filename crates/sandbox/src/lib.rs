//! Local exchange servers that speak the real protocols.
