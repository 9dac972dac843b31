//! Writes `env5.contract`; see examples/bundle.rs.
use env5 as _;
use ink::metadata::InkProject as Metadata;
include!("../../../../examples/bundle.rs");
