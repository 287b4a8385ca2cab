//! The walks, and what is kept of them.

use std::ops::ControlFlow;

use super::{Kind, LAST, NEAR, START, STEPS, distance};
use crate::experiments::prelude::*;

/// Steps that are drawn: what comes later hardly moves, or swings around the minimum.
pub(super) const DRAWN: usize = 3000;
/// Steps up to which the paths are shown one after the other.
pub(super) const STAGES: [usize; 10] = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000];
/// How many steps are shown of a later stage.
const TAIL: usize = 300;
/// How many starts the claims are about.
const STARTS: usize = 10;

/// The walk from (−1.2, 1). Points are for drawing, and kept in single precision.
#[derive(Serialize, Deserialize)]
pub(super) struct Drawn {
    pub kind: Kind,
    /// The points up to step [`DRAWN`], from the start on.
    path: Vec<(f32, f32)>,
    /// The last points up to each of those [`STAGES`] that are later.
    tails: Vec<Vec<(f32, f32)>>,
    /// Distances over pieces of a thousand steps, and of a tenth of the steps before.
    pub even: Vec<Piece>,
    pub growing: Vec<Piece>,
    pub end: (f64, f64),
    /// The first step at a distance below 0.1.
    pub reached: Option<usize>,
    /// The step at which it is closest, the distance then, and the greatest after that.
    pub closest: (usize, f64, f64),
}

/// Distances in a piece of a walk: the middle step, the median, the least and the greatest.
#[derive(Serialize, Deserialize)]
pub(super) struct Piece {
    pub middle: f64,
    pub median: f64,
    pub near: f64,
    pub far: f64,
}

/// What the walks from all starts come to, for each start.
#[derive(Serialize, Deserialize)]
pub(super) struct Late {
    pub kind: Kind,
    pub rate: f64,
    /// The slope of ln(distance) over the steps at which the distance is between 10⁻² and 10⁻³; NaN without these.
    #[serde(with = "lossless")]
    pub slopes: Vec<f64>,
    /// Mean length of the last steps.
    pub lengths: Vec<f64>,
    /// Median of the last distances.
    pub hovers: Vec<f64>,
}

/// Steps from each start to a distance of [`NEAR`]; `None` where it did not come there.
#[derive(Serialize, Deserialize)]
pub(super) struct Sweep {
    pub kind: Kind,
    pub rate: f64,
    steps: Vec<Option<usize>>,
}

/// Starts around (−1.2, 1).
pub(super) fn starts(seed: u64) -> Vec<(f64, f64)> {
    let mut rng = stream(seed, Purpose::Init);
    let mut near = |x: f64| x + 0.1 * standard_normal(&mut rng);
    (0..STARTS).map(|_| (near(START.0), near(START.1))).collect()
}

/// Walks from all starts at once; `tell` sees the points after each step and says whether to go on. None of these
/// optimizers mixes entries of a parameter, so that a row of x and y is a walk of its own.
fn walk(
    context: &Context,
    mut optimizer: Optimizer<f64>,
    starts: &[(f64, f64)],
    steps: usize,
    mut tell: impl FnMut(usize, &[f64], &[f64]) -> ControlFlow<()>,
) -> Result<()> {
    let column = |of: fn(&(f64, f64)) -> f64| starts.iter().map(of).collect::<Vec<f64>>();
    let mut tape = Tape::new();
    let x = tape.param_slice(starts.len(), 1, &column(|start| start.0));
    let y = tape.param_slice(starts.len(), 1, &column(|start| start.1));
    for t in 1..=steps {
        if t % 1000 == 0 {
            context.check()?;
        }
        // Too large a rate throws a walk out, and ends all of them.
        let finite = unless_diverged(step(&mut tape, &mut optimizer, |tape| {
            let one = tape.scalar(1.0);
            let a = tape.sub(one, x);
            let x2 = tape.mul(x, x);
            let b = tape.sub(y, x2);
            let (a2, b2) = (tape.mul(a, a), tape.mul(b, b));
            let b2 = tape.scale(b2, 100.0);
            let rows = tape.add(a2, b2);
            tape.sum(rows)
        }))?;
        let (x, y) = (tape.value_slice(x), tape.value_slice(y));
        if finite.is_none() || tell(t, x, y).is_break() || x.iter().chain(y).any(|x| !x.is_finite()) {
            break;
        }
    }
    Ok(())
}

/// Walks of all steps, from (−1.2, 1) and from the other starts.
pub(super) fn far(context: &Context, kind: Kind, rate: f64, starts: &[(f64, f64)]) -> Result<(Drawn, Late)> {
    let all = [&[START], starts].concat();
    let mut paths: Vec<Vec<(f64, f64)>> = all.iter().map(|start| vec![*start]).collect();
    walk(context, kind.optimizer(rate)?, &all, STEPS, |_, x, y| {
        paths.iter_mut().zip(x.iter().zip(y)).for_each(|(path, (x, y))| path.push((*x, *y)));
        ControlFlow::Continue(())
    })?;
    if paths[0].len() <= STEPS {
        return Err(Error::NonFinite(format!("{} at {rate} has left the finite numbers", kind.name())));
    }
    let late = Late {
        kind,
        rate,
        slopes: paths[1..].iter().map(|path| slope(path)).collect(),
        lengths: paths[1..].iter().map(|path| length(&path[STEPS - LAST..])).collect(),
        hovers: paths[1..].iter().map(|path| median(&distances(&path[STEPS + 1 - LAST..]))).collect(),
    };
    Ok((Drawn::of(kind, &paths[0]), late))
}

fn distances(path: &[(f64, f64)]) -> Vec<f64> {
    path.iter().map(|point| distance(*point)).collect()
}

/// Mean length of steps, by the coordinate that moves farthest.
fn length(path: &[(f64, f64)]) -> f64 {
    let step = |pair: &[(f64, f64)]| (pair[1].0 - pair[0].0).abs().max((pair[1].1 - pair[0].1).abs());
    mean(&path.windows(2).map(step).collect::<Vec<_>>())
}

fn slope(path: &[(f64, f64)]) -> f64 {
    let steps = path.iter().enumerate().map(|(t, point)| (t as f64, distance(*point)));
    let late: Vec<(f64, f64)> =
        steps.filter(|(_, d)| (1e-3..1e-2).contains(d)).map(|(t, d)| (t, Float::ln(d))).collect();
    if late.len() > 2 { Fit::line(&late).slope } else { f64::NAN }
}

impl Drawn {
    fn of(kind: Kind, path: &[(f64, f64)]) -> Drawn {
        let single = |points: &[(f64, f64)]| points.iter().map(|(x, y)| (*x as f32, *y as f32)).collect();
        let all = distances(path);
        let closest = (0..all.len()).min_by(|a, b| all[*a].total_cmp(&all[*b])).unwrap_or(0);
        let late = STAGES.into_iter().filter(|stage| *stage > DRAWN);
        Drawn {
            kind,
            path: single(&path[..=DRAWN]),
            tails: late.map(|stage| single(&path[stage - TAIL..=stage])).collect(),
            even: pieces(&all, |from| from + 1000),
            growing: pieces(&all, |from| from + (from / 10).max(1)),
            end: path[path.len() - 1],
            reached: all.iter().position(|far| *far < 0.1),
            closest: (closest, all[closest], range(all[closest..].iter().copied()).1),
        }
    }

    pub fn name(&self) -> String {
        format!("{}, η = {}", self.kind.name(), self.kind.rate())
    }

    /// The points up to step [`DRAWN`].
    pub fn path(&self) -> Vec<(f64, f64)> {
        double(&self.path)
    }

    /// The last points up to a stage; of those up to [`DRAWN`] all.
    pub fn up_to(&self, stage: usize) -> Vec<(f64, f64)> {
        match STAGES.iter().filter(|other| **other > DRAWN).position(|other| *other == stage) {
            Some(k) => double(&self.tails[k]),
            None => double(&self.path[..=stage]),
        }
    }
}

fn double(points: &[(f32, f32)]) -> Vec<(f64, f64)> {
    points.iter().map(|(x, y)| (f64::from(*x), f64::from(*y))).collect()
}

/// Distances in pieces of a walk, each of which ends before `next` of the step that it begins with.
fn pieces(all: &[f64], next: fn(usize) -> usize) -> Vec<Piece> {
    let (mut pieces, mut from) = (Vec::new(), 1);
    while from < all.len() {
        let to = next(from).min(all.len());
        let piece = &all[from..to];
        let (near, far) = range(piece.iter().copied());
        pieces.push(Piece { middle: 0.5 * (from + to - 1) as f64, median: median(piece), near, far });
        from = to;
    }
    pieces
}

impl Sweep {
    pub fn walk(context: &Context, kind: Kind, rate: f64, starts: &[(f64, f64)]) -> Result<Sweep> {
        const MOST: usize = 20_000;
        let mut steps = vec![None; starts.len()];
        walk(context, kind.optimizer(rate)?, starts, MOST, |t, x, y| {
            for (step, point) in steps.iter_mut().zip(x.iter().zip(y)) {
                if step.is_none() && distance((*point.0, *point.1)) < NEAR {
                    *step = Some(t);
                }
            }
            let all = steps.iter().all(Option::is_some);
            if all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(Sweep { kind, rate, steps })
    }

    /// The steps from every start; `None` if from one of them it did not arrive.
    pub fn arrived(&self) -> Option<Vec<f64>> {
        self.steps.iter().map(|step| step.map(|step| step as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::context::on_little_data;

    #[test]
    fn pieces_hold_each_step_but_the_start_once() {
        let all: Vec<f64> = (0..=1050).map(f64::from).collect();
        let pieces = pieces(&all, |from| from + 1000);
        assert_eq!(pieces.len(), 2);
        assert_eq!((pieces[0].near, pieces[0].far, pieces[0].middle), (1.0, 1000.0, 500.5));
        assert_eq!((pieces[1].near, pieces[1].far, pieces[1].median), (1001.0, 1050.0, 1025.5));
    }

    /// A walk beside others is the same to the last bit as one by itself.
    #[test]
    fn walks_do_not_mix() {
        for kind in Kind::ALL {
            let end = |starts: &[(f64, f64)]| {
                let mut last = Vec::new();
                let optimizer = kind.optimizer(kind.rate()).unwrap();
                let tell = |_, x: &[f64], y: &[f64]| {
                    last = x.iter().copied().zip(y.iter().copied()).collect();
                    ControlFlow::Continue(())
                };
                on_little_data(|context| walk(context, optimizer, starts, 30, tell)).unwrap();
                last
            };
            let [a, b] = [(-1.2, 1.0), (0.5, -0.25)];
            assert_eq!(end(&[a, b]), [end(&[a])[0], end(&[b])[0]], "{kind:?}");
        }
    }
}
