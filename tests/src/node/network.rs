//! The node's network namespace: an address, a way to Services, and no way out.

use std::process::Command;

use anyhow::Result;

use crate::run;

/// Gives the namespace its address, on a pair of virtual devices with both ends inside.
///
/// Packets to Services need a route before they are rewritten to their endpoints. Everything else outside is unreachable, and
/// said so at once, so that a test which calls the internet by mistake fails and does not hang.
pub(super) fn set_up(address: &str, services: &str) -> Result<()> {
    let batch = format!(
        "link set lo up
link add uplink type veth peer name uplink-end
link set uplink up
link set uplink-end up
addr add {address}/24 dev uplink
route add {services} dev uplink
route add unreachable default
"
    );
    run::output_with_input(Command::new("ip").args(["-batch", "-"]), &batch).map(drop)
}
