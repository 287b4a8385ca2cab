//! Handles that outlive their node, and panics in the middle of something that are caught.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::MatrixRef;

/// The message of the panic that `f` ends with.
#[track_caller]
pub(super) fn panics<R>(f: impl FnOnce() -> R) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).map(drop).expect_err("it should have panicked");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| "no text".into(), |text| text.to_string()),
    }
}

/// Everything that is in use.
fn state(tape: &Tape) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        (tape.to_string(), tape.vars().collect::<Vec<_>>(), tape.params().collect::<Vec<_>>()),
        (tape.values[..tape.used].to_vec(), tape.links[..tape.linked].to_vec(), tape.args.clone()),
        (tape.grads.get(..tape.param_numbers()).map(<[f64]>::to_vec), tape.names.clone()),
        (tape.passed, tape.changed_at, tape.walking, tape.anomaly().map(ToString::to_string)),
    )
}

/// y is the index list, 1×k; dx is the sum of index·dy.
struct Listed;

impl Operation<f64> for Listed {
    fn name(&self) -> &'static str {
        "listed"
    }
    fn forward(&self, mut cx: Forward<'_, f64>) {
        let indices = cx.indices();
        assert_eq!(indices.len(), cx.y_shape().cols, "forward sees other indices");
        cx.y().iter_mut().zip(indices).for_each(|(y, index)| *y = f64::from(*index));
    }
    fn backward(&self, mut cx: Backward<'_, f64>) {
        let (dy, indices) = (cx.dy(), cx.indices());
        assert_eq!(indices.len(), dy.len(), "backward sees other indices");
        let sum = indices.iter().zip(dy).map(|(index, dy)| f64::from(*index) * dy).sum();
        cx.add_constant(0, sum);
    }
}

/// Saves a number, writes half of its value and panics.
struct Breaks;

impl Operation<f64> for Breaks {
    fn name(&self) -> &'static str {
        "breaks"
    }
    fn forward(&self, mut cx: Forward<'_, f64>) {
        let (y, saved) = cx.y_and_saved();
        let half = y.len() / 2;
        y[..half].fill(7.0);
        saved.fill(8.0);
        panic!("in forward");
    }
    fn backward(&self, _: Backward<'_, f64>) {}
}

/// y = x; the gradient panics, after it has been added to input 0 if there are two.
struct BreaksBack;

impl Operation<f64> for BreaksBack {
    fn name(&self) -> &'static str {
        "breaks_back"
    }
    fn forward(&self, mut cx: Forward<'_, f64>) {
        cx.map(|x| x);
    }
    fn backward(&self, mut cx: Backward<'_, f64>) {
        let dy = cx.dy();
        if cx.inputs() == 2 {
            cx.add_map(0, dy, |dy| dy);
        }
        panic!("in backward");
    }
}

/// Indices whose number is not what they say, and which may panic.
struct Odd {
    left: u32,
    hint: (usize, Option<usize>),
    breaks: bool,
}

impl Iterator for Odd {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        assert!(!self.breaks || self.left > 0, "in the list");
        self.left = self.left.checked_sub(1)?;
        Some(100 + self.left)
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.hint
    }
}

/// A parameter, a variable, an operation with a list, one with constants, and a backward pass.
fn some_tape() -> (Tape, Param, Var) {
    let mut tape = Tape::new();
    let p = tape.param_slice(1, 1, &[3.0]);
    let x = tape.variable_slice(1, 2, &[1.0, 2.0]);
    let listed = tape.apply_indexed(&Listed, &[p.var()], Shape::new(1, 2), Args::NONE, [4, 5]);
    let scaled = tape.scale(listed, 2.0);
    let product = tape.mul(scaled, x);
    let y = tape.sum(product);
    tape.backward(y);
    assert_eq!((tape.item(y), tape.grad(p)[(0, 0)]), (28.0, 28.0));
    (tape, p, x)
}

/// What comes next has its own indices, and the right value and gradient.
#[track_caller]
fn goes_on(tape: &mut Tape, p: Param) {
    let before = tape.linked;
    let list = tape.apply_indexed(&Listed, &[p.var()], Shape::new(1, 2), Args::NONE, [6, 7]);
    assert_eq!(tape.value_slice(list), [6.0, 7.0]);
    assert_eq!((tape.linked, tape.links.len()), (before + 3, before + 3));
    let more = tape.apply_indexed(&Listed, &[p.var()], Shape::new(1, 1), Args::NONE, [9]);
    let both = tape.mul(list, more);
    let y = tape.sum(both);
    assert_eq!(tape.item(y), 117.0);
    tape.zero_grad();
    tape.backward(y);
    // list gets 9·(6 + 7), more gets 13·9.
    assert_eq!(tape.grad(p)[(0, 0)], 117.0 + 117.0);
    tape.rewind();
    assert_eq!((tape.len(), tape.numbers(), tape.linked), (1, 1, 0));
}

/// Enough to make a list grow; fewer where each step is interpreted.
const LONG: u32 = if cfg!(miri) { 700 } else { 70_000 };

/// With and without the search for anomalies. Miri, for which a panic takes seconds, sees one of them.
fn both_but_for_miri() -> impl Iterator<Item = bool> {
    [false, true].into_iter().filter(|watched| !cfg!(miri) || *watched)
}

#[test]
fn an_append_that_panics_leaves_nothing() {
    type Append = fn(&mut Tape, Param, Var) -> Var;
    let appends: [(&str, Append); 9] = [
        ("in the list", |t, p, _| {
            let list = Odd { left: 1000, hint: (0, None), breaks: true };
            t.apply_indexed(&Listed, &[p.var()], Shape::new(1, 1000), Args::NONE, list)
        }),
        ("in the list", |t, p, _| {
            let list = Odd { left: LONG, hint: (usize::MAX, None), breaks: true };
            t.apply_indexed(&Listed, &[p.var(), p.var()], Shape::new(1, 2), Args::scalar(5.0), list)
        }),
        ("forward sees other indices", |t, p, _| {
            t.apply_indexed(&Listed, &[p.var()], Shape::new(1, 2), Args::scalar(5.0), 0..LONG)
        }),
        ("in forward", |t, _, x| {
            t.apply_indexed(&Breaks, &[x], Shape::new(30, 40), Args::scalar(5.0).saving(3), 0..50)
        }),
        ("in forward", |t, _, x| t.apply(&Breaks, &[x, x], Shape::new(1, 1), Args::NONE)),
        ("a side is longer", |t, _, x| {
            t.apply_indexed(&Breaks, &[x], Shape::new(usize::MAX, 3), Args::NONE, 0..9)
        }),
        ("breaks: there is no memory for a value of", |t, _, x| {
            let shape = Shape::new(u32::MAX as usize, (u32::MAX >> 2) as usize);
            t.apply_indexed(&Breaks, &[x], shape, Args::scalar(5.0), 0..9)
        }),
        ("inputs are more than a node can hold", |t, _, x| {
            t.apply_indexed(&Listed, &vec![x; 70_000], Shape::new(1, 1), Args::NONE, 0..9)
        }),
        ("breaks: v1 is stale", |t, _, x| {
            t.apply_indexed(&Breaks, &[x, Var::new(x.index(), x.tape(), 1)], Shape::SCALAR, Args::NONE, 0..9)
        }),
    ];
    for (expected, append) in appends {
        for watched in both_but_for_miri() {
            let (mut tape, p, x) = some_tape();
            tape.detect_anomalies(watched);
            let before = state(&tape);
            for _ in 0..if cfg!(miri) { 1 } else { 2 } {
                let message = panics(|| append(&mut tape, p, x));
                // Where a pointer has 32 bits, these shapes do not fit for another reason.
                let other = usize::BITS == 32 && expected.contains("side") | expected.contains("memory");
                assert!(message.contains(expected) || other, "{message}");
                assert_eq!(state(&tape), before, "{expected}");
            }
            goes_on(&mut tape, p);
        }
    }
}

#[test]
fn a_rewind_after_a_panic_drops_what_was_left() {
    let (mut tape, p, x) = some_tape();
    let mark = tape.mark();
    let scaled = tape.scale(x, 9.0);
    panics(|| tape.apply_indexed(&Breaks, &[x, scaled], Shape::SCALAR, Args::scalar(4.0), 0..50));
    tape.rewind_to(mark);
    goes_on(&mut tape, p);
    // At once, without anything in between.
    panics(|| tape.apply_indexed(&Breaks, &[p.var()], Shape::SCALAR, Args::scalar(4.0), 0..50));
    tape.rewind();
    assert_eq!((tape.links.len(), tape.args.len(), tape.len()), (0, 1, 1));
    // An unfinished list behind the last node is not the last node's.
    let list = tape.apply_indexed(&Listed, &[p.var()], Shape::new(1, 2), Args::NONE, [6, 7]);
    panics(|| tape.apply_indexed(&Breaks, &[p.var()], Shape::SCALAR, Args::NONE, 0..50));
    tape.zero_grad();
    tape.backward_with(list, |upstream| upstream.fill(1.0));
    assert_eq!(tape.grad(p)[(0, 0)], 13.0);
}

#[test]
fn a_list_may_say_what_it_likes_about_its_length() {
    let most = usize::MAX;
    for hint in [(0, None), (0, Some(0)), (2, Some(3)), (1000, Some(1000)), (most, None), (most, Some(1))] {
        for left in [0, 1, 3, 5000] {
            let (mut tape, p, _) = some_tape();
            let odd = Odd { left, hint, breaks: false };
            let shape = Shape::new(1, left as usize);
            let y = tape.apply_indexed(&Listed, &[p.var()], shape, Args::NONE, odd);
            assert!(tape.value_slice(y).iter().copied().eq((0..left).rev().map(|i| f64::from(100 + i))));
            goes_on(&mut tape, p);
        }
    }
}

#[test]
fn a_leaf_that_panics_leaves_nothing() {
    fn half(to: &mut [f64]) {
        to[0] = 9.0;
        panic!("in the closure");
    }
    type Make = fn(&mut Tape) -> Var;
    let behind: [(&str, Make); 6] = [
        ("in the closure", |t| t.constant_with(2, 3, half)),
        ("in the closure", |t| t.variable_with(20, 300, half)),
        ("constant: 2×3 takes 6 numbers, not 1", |t| t.constant_slice(2, 3, &[1.0])),
        ("a value of ", |t| t.variable_with(usize::MAX, 3, half)),
        ("constant: there is no memory for a value of", |t| {
            t.constant_with(4_000_000_000, 1_000_000_000, half)
        }),
        ("param: parameters come first", |t| t.param_with(1, 1, half).var()),
    ];
    for (expected, make) in behind {
        for watched in both_but_for_miri() {
            let (mut tape, p, _) = some_tape();
            tape.detect_anomalies(watched);
            let before = state(&tape);
            let message = panics(|| make(&mut tape));
            assert!(message.contains(expected), "{message}");
            assert_eq!(state(&tape), before, "{expected}");
            goes_on(&mut tape, p);
        }
    }
    let first: [(&str, Make); 4] = [
        ("in the closure", |t| t.param_with(2, 3, half).var()),
        ("in the closure", |t| t.buffer_with(20, 300, half).var()),
        ("param: 2×3 takes 6 numbers, not 1", |t| t.param_slice(2, 3, &[1.0]).var()),
        ("param: there is no memory for 4000000000×1000000000 numbers", |t| {
            t.param_with(4_000_000_000, 1_000_000_000, half).var()
        }),
    ];
    for (expected, make) in first {
        let (mut tape, p, _) = some_tape();
        tape.rewind();
        let before = state(&tape);
        let message = panics(|| make(&mut tape));
        assert!(message.contains(expected), "{message}");
        assert_eq!(state(&tape), before, "{expected}");
        let q = tape.param_slice(1, 2, &[5.0, 6.0]);
        assert_eq!((tape.params().len(), q.index(), tape.name(q)), (2, 1, ""));
        assert_eq!((tape.param_values(), tape.param_grads()), (&[3.0, 5.0, 6.0][..], &[28.0, 0.0, 0.0][..]));
        assert_eq!(tape.slots().map(|slot| slot.param).collect::<Vec<_>>(), [p, q]);
        let y = tape.sum(q);
        tape.backward(y);
        assert_eq!(tape.param_grads(), [28.0, 1.0, 1.0]);
    }
}

#[test]
fn a_buffer_keeps_its_numbers_if_the_update_panics() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[2.0]);
    let buffer = tape.buffer_with(1, 3, |to| to.copy_from_slice(&[1.0, 2.0, 3.0]));
    let x = tape.variable_slice(1, 2, &[4.0, 5.0]);
    let y = tape.mul(x, w);
    let before = state(&tape);
    let message = panics(|| {
        tape.update_buffer(buffer, y, |to, from| {
            assert_eq!((to.len(), from), (3, &[8.0, 10.0][..]));
            to[0] = 9.0;
            panic!("in the update");
        });
    });
    assert_eq!(message, "in the update");
    assert_eq!(state(&tape), before);
    tape.update_buffer(buffer, y, |to, from| {
        assert_eq!(to, [1.0, 2.0, 3.0]);
        to[..2].copy_from_slice(from);
    });
    assert_eq!(tape.value_slice(buffer), [8.0, 10.0, 3.0]);
    assert_eq!((tape.value_slice(x), tape.value_slice(y)), (&[4.0, 5.0][..], &[8.0, 10.0][..]));
}

#[test]
fn a_pass_that_breaks_off_at_its_begin_adds_nothing() {
    let (mut tape, p, x) = some_tape();
    let breaks_off = |tape: &mut Tape, root: Var| {
        let message = panics(|| {
            tape.backward_with(root, |upstream| {
                upstream[0] = 99.0;
                panic!("in the closure");
            });
        });
        assert_eq!(message, "in the closure");
    };
    let before = (state(&tape), tape.grads.to_vec());
    let passed = tape.passed;
    breaks_off(&mut tape, p.var());
    assert_eq!((state(&tape), tape.grads.to_vec()), before);
    // The gradients before the root stay as well; that of the root is gone, and cannot be read.
    let root = tape.var(4);
    breaks_off(&mut tape, root);
    assert_eq!(tape.grad(x), nalgebra::dmatrix![8.0, 10.0]);
    assert_eq!(tape.passed, 4);
    assert!(panics(|| drop(tape.grad(root).to_dmatrix())).contains("no backward pass has ended since"));
    breaks_off(&mut tape, x);
    assert!(panics(|| drop(tape.grad(x).to_dmatrix())).contains("no backward pass has ended since"));
    tape.passed = passed;
    assert_eq!(state(&tape), before.0);
    let none = tape.scalar(1.0);
    let called = panics(|| tape.backward_with(none, |_| panic!("called")));
    assert_eq!(called, "backward: v6 (constant) depends on no parameter and no variable");
}

#[test]
fn a_pass_that_breaks_off_half_way_leaves_no_wrong_gradient() {
    let (mut tape, p, x) = some_tape();
    let broken = tape.apply(&BreaksBack, &[x], Shape::new(1, 2), Args::NONE);
    let y = tape.sum(broken);
    assert_eq!(panics(|| tape.backward(y)), "in backward");
    // The parameters have got nothing of it.
    assert_eq!(tape.grad(p)[(0, 0)], 28.0);
    assert_eq!(
        panics(|| tape.grad(x)),
        "grad: v1 (variable) has none: a panic broke the last backward pass off"
    );
    let good = tape.sum(x);
    tape.backward(good);
    assert_eq!((tape.grad(p)[(0, 0)], tape.grad(x)), (28.0, MatrixRef::new(&[1.0, 1.0], 1, 2)));

    let broken = tape.apply(&BreaksBack, &[p.var(), p.var()], Shape::SCALAR, Args::NONE);
    assert_eq!(panics(|| tape.backward(broken)), "in backward");
    type Ask = fn(&mut Tape, Param) -> usize;
    let lost: [(&str, Ask); 6] = [
        ("grad", |t, p| t.grad(p).len()),
        ("grad", |t, p| t.grad_slice(p).len()),
        ("slots", |t, _| t.slots().count()),
        ("param_grads", |t, _| t.param_grads().len()),
        ("param_grads_mut", |t, _| t.param_grads_mut().len()),
        ("backward", |t, p| {
            t.backward(p.var());
            0
        }),
    ];
    let check = |tape: &mut Tape| {
        for (name, ask) in lost {
            let message = panics(|| ask(tape, p));
            assert!(
                message.starts_with(&format!("{name}: a panic broke the last backward pass off")),
                "{message}"
            );
        }
    };
    check(&mut tape);
    tape.rewind();
    check(&mut tape);
    assert_eq!(tape.param_values(), [3.0]);
    tape.zero_grad();
    assert_eq!(tape.param_grads(), [0.0]);
    goes_on(&mut tape, p);
}

#[test]
fn a_parameter_that_changed_stops_the_pass_and_marks_its_gradients() {
    let (mut tape, p, _) = some_tape();
    let square = tape.mul(p, p);
    tape.param_values_mut()[0] = 5.0;
    let both = tape.mul(square, p);
    assert!(panics(|| tape.backward(both)).contains("was computed before the parameters changed"));
    // p has got square·dy, and not yet what comes through the square.
    assert!(panics(|| tape.param_grads()).contains("zero_grad"));
    tape.rewind();
    tape.zero_grad();
    goes_on(&mut tape, p);
}

/// y = x, but for the last entry, which it forgets; of what it saves it forgets the first number.
#[cfg(debug_assertions)]
struct Forgets;

#[cfg(debug_assertions)]
impl Operation<f64> for Forgets {
    fn name(&self) -> &'static str {
        "forgets"
    }
    fn forward(&self, mut cx: Forward<'_, f64>) {
        let x = cx.x(0);
        let (y, saved) = cx.y_and_saved();
        let n = y.len() - 1;
        y[..n].copy_from_slice(&x[..n]);
        saved[1..].fill(1.0);
    }
    fn backward(&self, mut cx: Backward<'_, f64>) {
        let (saved, dy) = (cx.saved(), cx.dy());
        cx.add_zip(0, saved, dy, |saved, dy| saved * dy);
    }
}

#[test]
#[cfg(debug_assertions)]
fn a_forgotten_entry_is_nan_in_debug_builds() {
    let mut tape = Tape::new();
    let p = tape.param_slice(1, 3, &[1.0, 2.0, 3.0]);
    for watched in [false, true] {
        tape.detect_anomalies(watched);
        // Old numbers where the value will stand.
        tape.constant_slice(1, 9, &[7.0; 9]);
        tape.rewind();
        let y = tape.apply(&Forgets, &[p.var()], Shape::new(1, 3), Args::NONE.saving(3));
        assert_eq!(tape.value_slice(y)[..2], [1.0, 2.0]);
        assert!(tape.value_slice(y)[2].is_nan());
        let loss = tape.sum(y);
        tape.zero_grad();
        tape.backward(loss);
        let grad = tape.grad_slice(p);
        assert!(grad[0].is_nan() && grad[1..] == [1.0, 1.0], "{grad:?}");
        if watched {
            let found = tape.anomaly().unwrap();
            assert_eq!((found.op, found.phase, found.position), ("forgets", Phase::Forward, (0, 2)));
        }
        tape.rewind();
    }
}

#[test]
fn a_mark_is_good_on_its_own_tape_only() {
    const OTHER: &str = "rewind_to: the mark was made on another tape";
    let mut tape = Tape::new();
    tape.constant_slice(1, 1, &[1.0]);
    // Of an empty tape, of parameters alone, and behind them.
    let mut other = Tape::new();
    let empty = other.mark();
    other.param_slice(1, 1, &[2.0]);
    let params = other.mark();
    other.constant_slice(1, 1, &[3.0]);
    for mark in [empty, params, other.mark()] {
        assert_eq!(panics(|| tape.rewind_to(mark)), OTHER);
        assert_eq!(panics(|| Tape::<f32>::default().rewind_to(mark)), OTHER);
    }
    assert_eq!((tape.len(), tape.numbers()), (1, 1));

    let mut tape = Tape::new();
    let empty = tape.mark();
    let x = tape.scalar(1.0);
    tape.rewind_to(empty);
    assert!(tape.is_empty() && panics(|| tape.item(x)).contains("v0 is stale"));
    let x = tape.scalar(2.0);
    let first = tape.mark();
    let y = tape.exp(x);
    let second = tape.mark();
    tape.rewind_to(first);
    assert_eq!(tape.item(x), 2.0);
    tape.exp(x);
    assert!(
        panics(|| tape.rewind_to(second))
            .starts_with("rewind_to: the last node before the mark: v1 is stale")
    );
    assert!(panics(|| tape.item(y)).starts_with("item: v1 is stale"));
    tape.rewind_to(empty);
    tape.scalar(2.0);
    assert!(panics(|| tape.rewind_to(first)).contains("v0 is stale"));
}

#[test]
fn nodes_before_a_mark_stay_good_through_every_rewind_to_it() {
    let mut tape = Tape::new();
    let p = tape.param_slice(1, 1, &[2.0]);
    let (mut kept, mut stale) = (Vec::new(), Vec::new());
    for i in 0..if cfg!(miri) { 9 } else { 50 } {
        kept.push(tape.scale(p, f64::from(i)));
        let mark = tape.mark();
        for _ in 0..3 {
            stale.push(tape.scalar(9.0));
            tape.rewind_to(mark);
        }
    }
    for (i, v) in kept.iter().enumerate() {
        assert_eq!((tape.item(*v), tape.vars().nth(i + 1)), (2.0 * i as f64, Some(*v)));
    }
    assert!(stale.iter().all(|v| panics(|| tape.item(*v)).contains("is stale")));
    tape.rewind();
    tape.scalar(9.0);
    assert!(kept.iter().all(|v| panics(|| tape.item(*v)).contains("is stale")));
    assert_eq!(tape.item(p), 2.0);
}

/// What 2³² − 1 rewinds did before: the handle that was made before them passed for one made after.
#[test]
fn a_stale_handle_never_passes_again() {
    let mut tape = Tape::new();
    let x = tape.scalar(1.0);
    for rewinds in [1u64, u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 32, (1 << 32) + 1, 1 << 62] {
        let mut later = Tape::<f64>::new();
        later.generations = tape.generations.after(rewinds);
        let y = later.scalar(2.0);
        assert_eq!((y.index(), y.tape()), (x.index(), x.tape()));
        assert!(panics(|| later.item(x)).starts_with("item: v0 is stale"), "after {rewinds}");
        assert_eq!(later.item(y), 2.0);
    }
}

#[test]
fn handles_of_other_tapes_are_stale() {
    let (tape, p, x) = some_tape();
    for _ in 0..if cfg!(miri) { 3 } else { 100 } {
        let (other, q, _) = some_tape();
        assert_eq!((q.index(), q.to_string()), (p.index(), p.to_string()));
        assert!(p != q && p.var() != q.var());
        assert!(panics(|| other.item(p)).contains("belongs to another tape"));
        assert!(panics(|| other.shape(x)).contains("belongs to another tape"));
        assert!(panics(|| other.name(p)).contains("belongs to another tape"));
        assert_eq!(other.item(q), tape.item(p));
    }
}
