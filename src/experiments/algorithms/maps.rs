//! Maps of attention: what each token looks at, in each head of each block.
//!
//! The one node of attention does not keep its weights; here they are computed by ordinary operations, with the queries
//! and keys of the network's own layers. A test compares the values that they give with those of the node.

use super::Problems;
use super::network::{HEADS, Transformer, WIDTH};
use crate::experiments::prelude::*;
use crate::nn::{Mode, Module};
use crate::ops::Attention;

/// The weights of a head of a block, the mean over sequences: query by query, a key a column.
#[derive(Serialize, Deserialize)]
pub(super) struct Map {
    pub block: usize,
    pub head: usize,
    pub length: usize,
    pub weights: Vec<f64>,
}

/// The maps of all heads, and by how much the values that they give differ at most from those of the one node.
pub(super) fn maps(network: &mut Transformer, problems: &Problems) -> (Vec<Map>, f64) {
    let Transformer { tape, embedding, blocks, .. } = network;
    let (count, length) = (problems.count(), problems.task.length());
    let columns = WIDTH / HEADS;
    tape.rewind();
    let tokens: Vec<f32> = problems.tokens.iter().map(|x| *x as f32).collect();
    let tokens = tape.constant_slice(count, length, &tokens);
    let mode = &mut Mode::evaluation();
    let mut x = embedding.forward(tape, tokens, mode);
    let (mut maps, mut off) = (Vec::new(), 0.0f64);
    for (k, block) in blocks.iter().enumerate() {
        let normed = block.norm1.forward(tape, x, mode);
        let parts = [block.attention.query, block.attention.key, block.attention.value];
        let [q, k_, v] = parts.map(|part| part.forward(tape, normed, mode));
        let fused = tape.attention(q, k_, v, Attention::new(count, HEADS));
        for head in 0..HEADS {
            let mut weights = vec![0.0; length * length];
            let range = head * columns..(head + 1) * columns;
            for sequence in 0..count {
                let rows = sequence * length..(sequence + 1) * length;
                let [q, k_, v, fused] = [q, k_, v, fused].map(|x| {
                    let x = tape.slice_rows(x, rows.clone());
                    tape.slice_cols(x, range.clone())
                });
                let products = tape.matmul_nt(q, k_);
                let scaled = tape.scale(products, 1.0 / (columns as f32).sqrt());
                let shares = tape.softmax(scaled);
                let own = tape.matmul(shares, v);
                let differences = tape.value_slice(own).iter().zip(tape.value_slice(fused));
                off = differences.fold(off, |off, (a, b)| off.max(f64::from((a - b).abs())));
                let shares = tape.value_slice(shares).iter();
                weights.iter_mut().zip(shares).for_each(|(sum, w)| *sum += f64::from(*w) / count as f64);
            }
            maps.push(Map { block: k, head, length, weights });
        }
        x = block.forward(tape, x, mode);
    }
    (maps, off)
}

impl Map {
    /// The mean weight of the keys that `place` says, of a query for each.
    pub fn at(&self, place: impl Fn(usize) -> usize) -> f64 {
        let weights: Vec<f64> = (0..self.length).map(|q| self.weights[q * self.length + place(q)]).collect();
        mean(&weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::algorithms::{TASKS, Task};

    /// The weights that are drawn are those that the network uses, also when it has learnt something.
    #[test]
    fn the_maps_give_the_values_of_the_one_node() {
        for task in TASKS {
            let mut network = Transformer::new(task.length(), 5).unwrap();
            let mut optimizer = Optimizer::new(Adam::default(), 5e-3).unwrap();
            for step in 0..20 {
                let loss = network.loss(&Problems::new(task, 5, step, 16));
                network.tape.zero_grad();
                network.tape.backward(loss);
                optimizer.step(&mut network.tape).unwrap();
            }
            let (maps, off) = maps(&mut network, &Problems::new(task, 6, 0, 10));
            assert!(off <= 1e-5, "{task:?}: {off}");
            assert_eq!(maps.len(), super::super::network::BLOCKS * HEADS);
            for map in &maps {
                let sums = map.weights.chunks_exact(map.length).map(|row| row.iter().sum::<f64>());
                assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-5));
            }
            let everywhere = maps.iter().all(|map| (map.at(|q| q) - 1.0 / map.length as f64).abs() < 1e-9);
            assert!(!everywhere || task != Task::Reverse, "no head looks anywhere");
        }
    }
}
