//! The gateway from outside: its routes over memory backends and a small router of the tests' own.

mod channels;
mod commands;
mod conversations;
mod events;
mod house;
mod matrix;
mod meta;
mod router;
mod serve;
mod session;
