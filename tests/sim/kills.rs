//! `kill -9` at random points: no machine is lost, no effect is done twice.
