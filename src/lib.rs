//! Rescind: stateless PASETO tokens that can be taken back.
