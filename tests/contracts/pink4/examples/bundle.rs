//! Writes `pink4.contract`; see examples/bundle.rs.
use ink::metadata::InkProject as Metadata;
use pink4 as _;
include!("../../../../examples/bundle.rs");
