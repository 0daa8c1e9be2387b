//! Follows the ledger and sends what must leave.
