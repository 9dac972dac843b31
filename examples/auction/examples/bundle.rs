//! Writes `auction.contract`; see ../../bundle.rs.
use auction as _;
use ink::metadata::InkProject as Metadata;
include!("../../bundle.rs");
