//! Writes `callee5.contract`; see examples/bundle.rs.
use callee5 as _;
use ink::metadata::InkProject as Metadata;
include!("../../../../examples/bundle.rs");
