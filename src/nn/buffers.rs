//! The buffers on a tape, kept to be put back.

use std::ops::Range;

use crate::{Float, Tape};

/// What the buffers held before a step that may be skipped: the forward pass of batch normalisation has taken
/// the batch in by the time its gradient turns out not to be finite.
pub(crate) struct Buffers<T> {
    /// Where they are among the parameters' numbers.
    places: Vec<Range<usize>>,
    values: Vec<T>,
}

impl<T: Float> Buffers<T> {
    /// Those that are on `tape` now.
    pub fn of(tape: &Tape<T>) -> Self {
        let (mut places, mut start) = (Vec::new(), 0);
        for param in tape.params() {
            let end = start + tape.param_shape(param).numel();
            if !tape.is_trained(param) {
                places.push(start..end);
            }
            start = end;
        }
        let values = Vec::with_capacity(places.iter().map(Range::len).sum());
        Buffers { places, values }
    }

    /// Keeps their values as they are. Allocates nothing.
    pub fn keep(&mut self, tape: &Tape<T>) {
        self.values.clear();
        for place in &self.places {
            self.values.extend_from_slice(&tape.param_values()[place.clone()]);
        }
    }

    /// Puts back what was kept. The tape has to be rewound before it is walked back again.
    pub fn restore(&self, tape: &mut Tape<T>) {
        let (all, mut kept) = (tape.param_values_mut(), &self.values[..]);
        for place in &self.places {
            let (first, rest) = kept.split_at(place.len());
            all[place.clone()].copy_from_slice(first);
            kept = rest;
        }
    }
}
