//! What tells a good handle from a stale one: on which tape it was made, and between which rewinds.

use std::hash::{BuildHasher, RandomState};

/// Which tape: 96 random bits.
///
/// Of 10⁶ tapes two share an identity with a probability of 10⁻¹⁷.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity {
    pub tape: u32,
    /// The generation of the parameters, which no rewind ends.
    pub first: u64,
}

/// The generation of every node, as a list of stretches of the arena.
///
/// A rewind begins a new generation, and what is appended belongs to it. So each generation is one stretch of the
/// arena, and no node needs to hold its own. There are 2⁶⁴ of them: none comes again.
pub(super) struct Generations {
    identity: Identity,
    /// What the nodes from `start` on belong to.
    current: u64,
    start: usize,
    /// Nodes that a rewind to a mark has left: where each earlier stretch begins, and its generation.
    older: Vec<(usize, u64)>,
}

impl Generations {
    /// Those of an empty tape.
    pub fn new() -> Self {
        // Random keys of the standard library, which differ from call to call: no counter shared by all
        // tapes is needed, and no number that is computed depends on it.
        let keys = RandomState::new();
        let first = keys.hash_one(0u8);
        let identity = Identity { tape: keys.hash_one(1u8) as u32, first };
        Generations { identity, current: first.wrapping_add(1), start: 0, older: Vec::new() }
    }

    /// The generation of what is appended now.
    #[inline]
    pub fn current(&self) -> u64 {
        self.current
    }

    #[inline]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The generation of the node at `index`, where so many `params` stand at the front.
    #[inline]
    pub fn of(&self, index: usize, params: usize) -> u64 {
        if index < params {
            self.identity.first
        } else if index >= self.start {
            self.current
        } else {
            self.of_older(index)
        }
    }

    fn of_older(&self, index: usize) -> u64 {
        let behind = self.older.partition_point(|(start, _)| *start <= index);
        self.older[behind - 1].1
    }

    /// Those of a clone: the `nodes` that are there keep their generations, and what is appended to it belongs to
    /// one of its own, drawn at random, so that the original does not take it for its own.
    pub fn fork(&self, nodes: usize, params: usize) -> Self {
        let mut fork = Generations { older: self.older.clone(), ..*self };
        fork.rewind(nodes, params);
        fork.current = RandomState::new().hash_one(2u8);
        fork
    }

    /// Begins a new generation behind the first `nodes`.
    pub fn rewind(&mut self, nodes: usize, params: usize) {
        if self.start.max(params) < nodes {
            self.older.push((self.start.max(params), self.current));
        } else {
            while self.older.last().is_some_and(|(start, _)| *start >= nodes) {
                self.older.pop();
            }
        }
        self.start = nodes;
        self.current = self.current.wrapping_add(1);
    }
}

#[cfg(test)]
impl Generations {
    /// As they are after so many rewinds of all nodes.
    pub fn after(&self, rewinds: u64) -> Self {
        let current = self.current.wrapping_add(rewinds);
        Generations { identity: self.identity, current, start: 0, older: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_node_keeps_its_generation() {
        let mut generations = Generations::new();
        // What each node's generation must be, nodes behind two parameters.
        let mut nodes = vec![generations.identity().first; 2];
        let first = nodes[0];
        let mut begun = 1u64;
        let mut state = 12345u64;
        for _ in 0..if cfg!(miri) { 300 } else { 20_000 } {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            match (state >> 33) % 5 {
                0 => {
                    let to = 2 + (state >> 40) as usize % (nodes.len() - 1);
                    nodes.truncate(to);
                    generations.rewind(to, 2);
                    begun += 1;
                }
                _ => nodes.push(first.wrapping_add(begun)),
            }
            for (index, generation) in nodes.iter().enumerate().rev().take(40) {
                assert_eq!(generations.of(index, 2), *generation);
            }
            assert_eq!(generations.of(0, 2), first);
            assert_eq!(generations.of(nodes.len(), 2), first.wrapping_add(begun));
            assert!(generations.older.is_sorted());
        }
    }

    #[test]
    fn rewinding_to_one_point_takes_no_memory() {
        let mut generations = Generations::new();
        for _ in 0..1000 {
            generations.rewind(7, 3);
            generations.rewind(3, 3);
        }
        assert_eq!(generations.older.len(), 0);
        for _ in 0..1000 {
            generations.rewind(9, 3);
        }
        assert_eq!(generations.older.len(), 1);
    }

    /// 2³² rewinds used to end where they began. A counter that stands just before the end of each width
    /// goes on as well.
    #[test]
    fn a_generation_does_not_come_again() {
        let mut generations = Generations::new();
        for last in [u64::from(u32::MAX), u64::MAX] {
            generations.current = last;
            let old = generations.of(0, 0);
            generations.rewind(0, 0);
            assert_eq!(generations.of(0, 0), last.wrapping_add(1));
            assert_ne!(generations.of(0, 0), old);
        }
        assert_eq!(size_of_val(&generations.current), 8);
    }

    #[test]
    #[cfg_attr(miri, ignore = "a million of them")]
    fn a_million_tapes_on_many_threads_differ() {
        let drawn = |count: usize| (0..count).map(|_| Generations::new().identity()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..20).map(|_| std::thread::spawn(move || drawn(25_000))).collect();
        let mut all = drawn(500_000);
        all.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
        assert_eq!(all.len(), 1_000_000);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 1_000_000);
        // Each half is random by itself: of 64 bits none come twice, of 32 about 116.
        assert_eq!(all.iter().map(|identity| identity.first).collect::<HashSet<_>>().len(), 1_000_000);
        let halves = all.iter().map(|identity| identity.tape).collect::<HashSet<_>>().len();
        assert!((50..250).contains(&(1_000_000 - halves)), "{} come twice", 1_000_000 - halves);
    }
}
