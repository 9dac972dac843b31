//! Writes `caller5.contract`; see examples/bundle.rs.
use caller5 as _;
use ink::metadata::InkProject as Metadata;
include!("../../../../examples/bundle.rs");
