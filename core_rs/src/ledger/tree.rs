//! RFC 6962 Merkle tree heads, kept as the roots of the complete subtrees on the right edge.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hash of a leaf: SHA-256(0x00 ‖ bytes), RFC 6962 section 2.1.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Sha256::new().chain_update([0u8]).chain_update(bytes).finalize().into()
}

/// Hash of an inner node: SHA-256(0x01 ‖ left ‖ right), RFC 6962 section 2.1.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1u8]).chain_update(left).chain_update(right).finalize().into()
}

/// All that is needed to append: the size and one root per set bit of the size, largest subtree first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Append one leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut filled = self.size;
        while filled & 1 == 1 {
            let left = self.roots.pop().expect("one root per set bit");
            node = node_hash(&left, &node);
            filled >>= 1;
        }
        self.roots.push(node);
        self.size += 1;
    }

    /// Root of the whole tree; SHA-256 of nothing when empty (RFC 6962 section 2.1).
    pub fn root(&self) -> Hash {
        let mut right_to_left = self.roots.iter().rev();
        let Some(last) = right_to_left.next() else { return Sha256::digest([]).into() };
        right_to_left.fold(*last, |right, left| node_hash(left, &right))
    }

    /// Stored form: size (u64 big endian), then the roots.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.roots.iter().flatten());
        bytes
    }

    /// Read the stored form.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the number of roots does not fit the size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::Corrupt("ledger frontier".into());
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let size = u64::from_be_bytes(*size);
        let (roots, tail) = rest.as_chunks::<32>();
        if !tail.is_empty() || roots.len() != size.count_ones() as usize {
            return Err(corrupt());
        }
        Ok(Self { size, roots: roots.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursive definition of RFC 6962 section 2.1, word for word.
    fn root_by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => *one,
            many => {
                let split = many.len().next_power_of_two() / 2;
                node_hash(&root_by_definition(&many[..split]), &root_by_definition(&many[split..]))
            }
        }
    }

    #[test]
    fn root_follows_the_definition_at_every_size_and_survives_storage() {
        let leaves: Vec<Hash> = (0..130u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        let mut frontier = Frontier::default();
        for size in 0..=leaves.len() {
            assert_eq!(frontier.root(), root_by_definition(&leaves[..size]), "size {size}");
            assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).unwrap(), frontier);
            if let Some(leaf) = leaves.get(size) {
                frontier.push(*leaf);
            }
        }
    }

    #[test]
    fn a_frontier_of_the_wrong_length_is_corrupt() {
        assert!(Frontier::from_bytes(&[0; 7]).is_err());
        assert!(Frontier::from_bytes(&3u64.to_be_bytes()).is_err());
    }
}
