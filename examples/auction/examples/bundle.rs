//! Writes `auction.contract`; see ../../bundle.rs.
use auction as _;
include!("../../bundle.rs");
