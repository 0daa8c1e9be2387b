//! The pure core: decides, folds, explains.
