//! Writes `counter.contract`; see ../../bundle.rs.
use counter as _;
include!("../../bundle.rs");
