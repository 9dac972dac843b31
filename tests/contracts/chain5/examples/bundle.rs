//! Writes `chain5.contract`; see examples/bundle.rs.
use chain5 as _;
use ink::metadata::InkProject as Metadata;
include!("../../../../examples/bundle.rs");
