//! Lives of hosts: [`driver`] is a synchronous stand-in for the engine.

mod driver;
mod life;
mod ops;
mod replay;
