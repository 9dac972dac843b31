//! Writes `token3.contract`; see examples/bundle.rs.
use ink_metadata::MetadataVersioned as Metadata;
use token3 as _;
include!("../../../../examples/bundle.rs");
