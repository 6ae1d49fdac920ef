//! Lives of hosts: [`driver`] is a synchronous stand-in for the engine.

mod beside;
mod document;
mod driver;
mod guarded;
mod life;
mod lost;
mod oddities;
mod ops;
mod phases;
mod replay;
mod restored;
