//! Writes `proxy5.contract`; see examples/bundle.rs.
use proxy5 as _;
use ink::metadata::InkProject as Metadata;
include!("../../../../examples/bundle.rs");
