//! What a network is made of.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::sent::{checked_text, from_text, refused};

checked_text! {
    /// A network driver. Plugins (`owner/driver`) are not offered.
    NetworkDriver = "network driver", 64, r"^[a-z][a-z0-9_-]*$",
    "use a driver such as \"bridge\", \"macvlan\" or \"ipvlan\""
}

checked_text! {
    /// A further name of a container on one network.
    NetworkAlias = "alias", 253, r"^[A-Za-z0-9_][\w.-]*$",
    "use letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit"
}

/// A range of addresses: `10.5.0.0/24`, `fd00:5::/64`. No bit behind the prefix is set: the daemon
/// says so from 25 on, and 20.10 makes something else of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

from_text!(Subnet, "subnet", { "type": "string" });

impl Subnet {
    pub const fn is_ipv6(self) -> bool {
        self.address.is_ipv6()
    }

    /// Whether an address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        let prefix = self.prefix.min(other.prefix);
        let start = |subnet: Self| Self { prefix, ..subnet }.masked().address;
        start(self) == start(other)
    }

    /// The same range without the bits behind the prefix.
    fn masked(self) -> Self {
        let prefix = u32::from(self.prefix);
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Self { address, ..self }
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (address, prefix) = text.split_once('/')?;
            let address: IpAddr = address.parse().ok()?;
            let longest = if address.is_ipv6() { 128 } else { 32 };
            let digits = prefix.bytes().all(|b| b.is_ascii_digit());
            let prefix: u8 = prefix.parse().ok().filter(|n| digits && *n <= longest)?;
            Some(Self { address, prefix })
        };
        let Some(subnet) = parts() else {
            let rule = "use an address and the length of its prefix, for example \"10.5.0.0/24\"";
            return Err(refused("subnet", text, rule));
        };
        match subnet.masked() {
            masked if masked == subnet => Ok(subnet),
            masked => Err(refused("subnet", text, &format!("it would be \"{masked}\""))),
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn subnets_are_an_address_and_a_prefix() {
        for text in ["10.5.0.0/24", "0.0.0.0/0", "192.168.1.4/32", "fd00:5::/64", "::/0"] {
            assert_eq!(accepted::<Subnet>(&json!(text)).to_string(), text);
        }
        assert!(accepted::<Subnet>(&json!("fd00:5::/64")).is_ipv6());
    }

    #[test]
    fn subnets_overlap_when_one_is_part_of_the_other() {
        let overlaps = |a: &str, b: &str| {
            let (a, b): (Subnet, Subnet) = (a.parse().unwrap(), b.parse().unwrap());
            a.overlaps(b) && b.overlaps(a)
        };
        assert!(overlaps("10.5.0.0/16", "10.5.3.0/24") && overlaps("10.5.0.0/16", "10.5.0.0/16"));
        assert!(overlaps("0.0.0.0/0", "10.5.0.0/16") && overlaps("fd00::/8", "fd00:5::/64"));
        assert!(!overlaps("10.5.0.0/16", "10.6.0.0/16") && !overlaps("0.0.0.0/0", "::/0"));
    }

    #[test]
    fn a_wrong_subnet_is_refused_with_the_right_one() {
        let wrong = json!([
            "10.5.0.5/24",
            "fd00:5::1/64",
            "10.5.0.0",
            "10.5.0.0/33",
            "10.5.0.0/+8",
            "10.5.0.0/255.255.255.0",
            "x/8",
            ""
        ]);
        assert_snapshot!(refusals::<Subnet>(&wrong), @r#"
        subnet "10.5.0.5/24" is not allowed: it would be "10.5.0.0/24"
        subnet "fd00:5::1/64" is not allowed: it would be "fd00:5::/64"
        subnet "10.5.0.0" is not allowed: use an address and the length of its prefix, for example "10.5.0.0/24"
        subnet "10.5.0.0/33" is not allowed: use an address and the length of its prefix, for example "10.5.0.0/24"
        subnet "10.5.0.0/+8" is not allowed: use an address and the length of its prefix, for example "10.5.0.0/24"
        subnet "10.5.0.0/255.255.255.0" is not allowed: use an address and the length of its prefix, for example "10.5.0.0/24"
        subnet "x/8" is not allowed: use an address and the length of its prefix, for example "10.5.0.0/24"
        subnet "" is not allowed: use an address and the length of its prefix, for example "10.5.0.0/24"
        "#);
    }

    #[test]
    fn names_of_drivers_and_aliases_are_no_options_and_no_paths() {
        assert!("-x".parse::<NetworkAlias>().is_err());
        assert!("a b".parse::<NetworkAlias>().is_err());
        assert!("owner/driver".parse::<NetworkDriver>().is_err());
        assert!("--driver".parse::<NetworkDriver>().is_err());
    }
}
