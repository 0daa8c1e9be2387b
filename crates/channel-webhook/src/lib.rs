//! Chat webhooks: dialects, and the way back to a callback URL.
