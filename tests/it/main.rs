//! The one integration binary: a module per area, linked once.

mod slack;
