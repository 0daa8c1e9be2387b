//! Why an input is set aside without asking the core: stable codes, each with a page in `docs/errors`.

/// It brought the core down.
pub(crate) const INPUT_POISONOUS: &str = "input_poisonous";
/// It is not an input that this version knows.
pub(crate) const INPUT_UNREADABLE: &str = "input_unreadable";
