//! Random numbers and synthetic data.

use rand::Rng;
use tapegrad::data::synthetic::{self, SYNTHETIC};
use tapegrad::data::{Batches, Dataset};
use tapegrad::rng::{Place, Purpose, at, derive, standard_normal, stream};

use super::{Hash, Table};

pub fn entries(table: &mut Table) {
    for purpose in [Purpose::Init, Purpose::Shuffle, Purpose::Dropout, Purpose::Data, Purpose::Projection] {
        let mut rng = stream(7, purpose);
        let hash = (0..100).fold(Hash::new(), |hash, _| hash.word(rng.next_u64()));
        let normal: Vec<f64> = (0..200).map(|_| standard_normal(&mut rng)).collect();
        let mut rng = at(Place { seed: 7, epoch: 3, step: 5 }, purpose, 2);
        let hash = (0..10).fold(hash.and(&normal), |hash, _| hash.word(rng.next_u64()));
        table.add(format!("random numbers {purpose:?}"), hash);
    }
    table.add("random seeds", (0..10).fold(Hash::new(), |hash, k| hash.word(derive(3, k))));
    let mut batches = Batches::shuffled(1000, 64, 5).expect("settings in range");
    let rows = |batches: &mut Batches, epoch| {
        batches.epoch(epoch).flatten().fold(Hash::new(), |hash, row| hash.word(*row as u64)).0
    };
    let (first, tenth) = (rows(&mut batches, 0), rows(&mut batches, 10));
    table.add("batches", Hash::new().word(first).word(tenth));
    for set in SYNTHETIC {
        let data = set.generate(60, set.noise, 9).expect("usual settings");
        table.add(format!("data {}", set.name), of(&data));
    }
    let blobs = synthetic::blobs(60, 3, 1.0, 9).expect("settings in range");
    let (left, right) = blobs.stratified_split(0.3, 4).expect("labels");
    table.add("split", of(&left).word(of(&right).0));
}

/// Features, labels and targets.
fn of(data: &Dataset) -> Hash {
    let rows: Vec<usize> = (0..data.len()).collect();
    let mut features = vec![0f64; data.len() * data.features()];
    data.gather(&rows, &mut features);
    let hash = Hash::of(&features).and(data.targets().unwrap_or_default());
    data.labels().unwrap_or_default().iter().fold(hash, |hash, label| hash.word(*label as u64))
}
