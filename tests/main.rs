//! The program as its users meet it: one module for each command or promise.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod architecture;
mod support;
