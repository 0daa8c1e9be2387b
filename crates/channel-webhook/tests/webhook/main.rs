//! The webhook adapter from outside: the contract of all adapters, fixtures, and replies that leave.

mod contract;
mod inspect;
mod send;
mod support;
