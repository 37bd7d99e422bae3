//! The checkpoint over all stream heads: a Merkle tree in the shape of RFC 6962 §2.1.

use crate::domain::canonical::{Hash, NotCanonical, canonical};
use crate::ports::store::Head;

/// The root over these heads, which are in the order of their streams. Whoever keeps it elsewhere can
/// tell whether any entry was changed or removed since.
pub fn checkpoint(heads: &[Head]) -> Result<Hash, NotCanonical> {
    let leaves = heads.iter().map(leaf).collect::<Result<Vec<_>, _>>()?;
    Ok(root(&leaves))
}

/// A leaf: `SHA-256(0x00 ‖ canonical head)`.
pub(super) fn leaf(head: &Head) -> Result<Hash, NotCanonical> {
    Ok(Hash::over(&[&[0], &canonical(head)?]))
}

/// The root over leaves; over none, the hash of nothing.
pub(super) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::over(&[]),
        [one] => *one,
        [..] => {
            // the largest power of two that is smaller than their number
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            Hash::over(&[&[1], root(left).bytes(), root(right).bytes()])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 6962's reference implementation: leaves and roots over the first n.
    #[test]
    fn roots_are_those_of_the_reference() {
        let inputs: [&[u8]; 4] = [b"", b"\0", b"\x10", b"\x20\x21"];
        let leaves = inputs.map(|input| Hash::over(&[&[0], input]));
        let expected = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ];
        for (n, root_text) in expected.iter().enumerate() {
            assert_eq!(root(&leaves[..n]).to_string(), *root_text, "over {n} leaves");
        }
    }
}
