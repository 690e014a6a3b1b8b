//! Ranges of IPv4 addresses: which overlap, and which are free.

/// Ranges that are tried.
const TRIED: u32 = 1024;

/// The first and the last address of `10.1.2.0/24`; nothing for IPv6, of which there is enough.
fn range(subnet: &str) -> Option<(u32, u32)> {
    let (address, bits) = subnet.split_once('/')?;
    let address = u32::from(address.parse::<std::net::Ipv4Addr>().ok()?);
    let bits: u32 = bits.parse().ok().filter(|bits| (1..=32).contains(bits))?;
    let mask = u32::MAX.checked_shl(32 - bits)?;
    Some((address & mask, address | !mask))
}

pub(super) fn overlap(one: &str, other: &str) -> bool {
    let ranges = range(one).zip(range(other));
    ranges.is_some_and(|((a, b), (c, d))| a <= d && c <= b)
}

/// The next range of the same size that overlaps with none of these.
pub(super) fn free_beside(subnet: &str, taken: &[&str]) -> Option<String> {
    let (first, last) = range(subnet)?;
    let size = (last - first).checked_add(1)?;
    let bits = 32 - size.trailing_zeros();
    let candidates = (1..=TRIED).map_while(|step| first.checked_add(size.checked_mul(step)?));
    let texts = candidates.map(|first| format!("{}/{bits}", std::net::Ipv4Addr::from(first)));
    texts.into_iter().find(|text| !taken.iter().any(|other| overlap(text, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overlap_when_they_share_an_address() {
        for (one, other, expected) in [
            ("10.1.2.0/24", "10.1.2.128/25", true),
            ("10.1.2.0/24", "10.1.3.0/24", false),
            ("172.16.0.0/12", "172.20.0.0/16", true),
            ("fd00::/64", "fd00::/64", false),
            ("x", "10.0.0.0/8", false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
        }
        let free = free_beside("10.1.2.0/24", &["10.1.2.0/24", "10.1.3.0/25", "10.9.0.0/16"]);
        assert_eq!(free.as_deref(), Some("10.1.4.0/24"));
        assert_eq!(free_beside("255.255.255.0/24", &[]), None);
    }
}
