//! Writes `counter.contract`; see ../../bundle.rs.
use counter as _;
use ink::metadata::InkProject as Metadata;
include!("../../bundle.rs");
