//! The table of calls, by topic.

mod context;
mod crypto;
mod delegate;
mod deprecated;
mod events;
mod examples;
mod instantiate;
mod machine;
mod nested;
mod random;
mod refused;
mod storage;
mod transfers;
mod transient;

use crate::table::Group;

pub fn all() -> Vec<Group> {
    let mut groups = vec![
        storage::group(),
        transient::group(),
        context::group(),
        crypto::group(),
        events::group(),
        machine::group(),
        transfers::group(),
        nested::group(),
        nested::read_only(),
        delegate::group(),
        instantiate::group(),
        deprecated::group(),
        examples::group(),
        random::group(),
    ];
    groups.extend(refused::groups());
    groups
}
