//! A transformer that learns to turn digits round, to sort them and to add them: how its accuracy grows, and where it
//! looks. The tasks and the training are here, in a file each are the network, its maps of attention, and what is
//! claimed and shown.

mod maps;
mod network;
mod report;

use rand::Rng;

use self::network::Transformer;
use super::prelude::*;
use crate::optim::Clip;
use crate::optim::schedule::{Cosine, Schedule, Warmup};
use crate::rng::{Place, at};

pub const EXPERIMENT: Experiment = Experiment {
    name: "algorithms",
    title: "Transformer on digits",
    question: "Can a small transformer learn to reverse, sort and add digits, and where does it look?",
    theory: &[
        "Attention moves what stands at one place to another: query and key decide from where to where \
         (Vaswani et al., \"Attention Is All You Need\", 2017). Reversing a sequence needs only the \
         positions. Sorting needs, for each digit, a count of the smaller ones in all places. A sum needs \
         the carry, which may come from far away: in 999 + 1 it passes through all digits.",
        "The network gives all digits of an answer at once, not one after the other. It learns sums in \
         parts: accuracy grows digit by digit. Rare cases with a long carry come last (Quirke and Barez, \
         \"Understanding Addition in Transformers\", 2024).",
        "Soft attention is an average. Its weights, softmax(QKᵀ/√d), can be drawn. For a reversed sequence \
         they should lie on the diagonal from corner to corner.",
    ],
    parts: Parts::of::<Algorithms>(),
    finding,
};

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Algorithms {
    /// Task by task, each from its seeds.
    learnt: Vec<Learnt>,
}

/// Digits of a sequence, and of a number.
const DIGITS: usize = 6;
const ADDENDS: usize = 3;
/// What stands between the numbers of a sum, and what it ends with.
const PLUS: usize = 10;
const EQUALS: usize = 11;
const VOCABULARY: usize = 12;
/// A label that does not count.
const NOTHING: usize = VOCABULARY;
const BATCH: usize = 64;
const TESTED: usize = 300;
/// Sequences over which a map is a mean.
const MAPPED: usize = 20;

/// What is to be learnt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Task {
    Reverse,
    Sort,
    Add,
}

const TASKS: [Task; 3] = [Task::Reverse, Task::Sort, Task::Add];

impl Task {
    fn name(self) -> &'static str {
        match self {
            Task::Reverse => "reverse",
            Task::Sort => "sort",
            Task::Add => "add",
        }
    }

    /// Tokens of a sequence.
    fn length(self) -> usize {
        match self {
            Task::Reverse | Task::Sort => DIGITS,
            Task::Add => 2 * ADDENDS + 2,
        }
    }

    /// A sequence and its answer, which stands at its first places: of a sum, the digits from the first, with a zero in
    /// front where there are fewer.
    fn draw(self, rng: &mut impl Rng, tokens: &mut Vec<f64>, labels: &mut Vec<usize>) {
        let mut digit = || (rng.next_u32() % 10) as usize;
        let from = tokens.len();
        let mut answer: Vec<usize> = match self {
            Task::Reverse | Task::Sort => (0..DIGITS).map(|_| digit()).collect(),
            Task::Add => (0..2 * ADDENDS).map(|_| digit()).collect(),
        };
        let mut say = |token: usize| tokens.push(token as f64);
        match self {
            Task::Reverse | Task::Sort => answer.iter().copied().for_each(say),
            Task::Add => {
                answer[..ADDENDS].iter().copied().for_each(&mut say);
                say(PLUS);
                answer[ADDENDS..].iter().copied().for_each(&mut say);
                say(EQUALS);
            }
        }
        match self {
            Task::Reverse => answer.reverse(),
            Task::Sort => answer.sort_unstable(),
            Task::Add => {
                let number = |digits: &[usize]| digits.iter().fold(0, |n, digit| 10 * n + digit);
                let mut sum = number(&answer[..ADDENDS]) + number(&answer[ADDENDS..]);
                answer = vec![0; ADDENDS + 1];
                for digit in answer.iter_mut().rev() {
                    (*digit, sum) = (sum % 10, sum / 10);
                }
            }
        }
        let rest = tokens.len() - from - answer.len();
        labels.extend(answer);
        labels.extend(std::iter::repeat_n(NOTHING, rest));
    }
}

/// Sequences of a task and their answers, a label for each token.
struct Problems {
    task: Task,
    tokens: Vec<f64>,
    labels: Vec<usize>,
}

impl Problems {
    /// Batch number `step` of a run.
    fn new(task: Task, seed: u64, step: u64, count: usize) -> Problems {
        let rng = &mut at(Place { seed, epoch: task as u64, step }, Purpose::Data, 0);
        let mut problems = Problems { task, tokens: vec![], labels: vec![] };
        (0..count).for_each(|_| task.draw(rng, &mut problems.tokens, &mut problems.labels));
        problems
    }

    fn count(&self) -> usize {
        self.labels.len() / self.task.length()
    }
}

/// After some steps: shares of the digits and of whole answers that are right.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Mark {
    step: usize,
    digits: f64,
    answers: f64,
}

/// Of one task and seed.
#[derive(Serialize, Deserialize)]
struct Learnt {
    task: Task,
    marks: Vec<Mark>,
    /// Of all heads.
    maps: Vec<maps::Map>,
    /// Numbers of all weights.
    parameters: usize,
}

impl Study for Algorithms {
    const EDITION: u32 = 5;

    fn measure(context: &Context) -> Result<Algorithms> {
        let steps = context.pick([150, 250, 600], [800, 1500, 4000]);
        // Now and then a network has not found out how to add when the rate has become small. Of twelve seeds, two such
        // networks do not decide whether the median is above a half. To reverse and to sort, all find out: six are enough.
        let seeds = context.pick([6, 6, 12], [12; 3]);
        let of_task = |((task, steps), seeds)| {
            derived_seeds(context, seeds).into_iter().map(move |seed| (task, steps, seed))
        };
        let jobs: Vec<(Task, usize, u64)> =
            TASKS.into_iter().zip(steps).zip(seeds).flat_map(of_task).collect();
        let learnt =
            context.side_by_side(0..1, 1, "reverse, sort, add", &jobs, |job| learn(context, *job))?;
        Ok(Algorithms { learnt })
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

fn learn(context: &Context, (task, steps, seed): (Task, usize, u64)) -> Result<Learnt> {
    let mut network = Transformer::new(task.length(), seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), RATE)?;
    let warmup = (steps / 10) as u64;
    let schedule = Warmup::new(warmup, Cosine::new(RATE, 0.0, steps as u64 - warmup)?);
    let mut clip = Clip::none().with_norm(1.0)?;
    let test = Problems::new(task, seed, u64::MAX, TESTED);
    let mut marks = Vec::new();
    for step in 0..steps {
        context.check()?;
        if (step % (steps / 10)) == 0 {
            marks.push(network.mark(&test, step));
        }
        let loss = network.loss(&Problems::new(task, seed, step as u64, BATCH));
        network.tape.zero_grad();
        network.tape.backward(loss);
        clip.apply(&mut network.tape)?;
        optimizer.set_lr(schedule.lr(step as u64))?;
        optimizer.step(&mut network.tape)?;
    }
    marks.push(network.mark(&test, steps));
    let problems = Problems::new(task, context.seed, u64::MAX - 1, MAPPED);
    let (maps, _) = maps::maps(&mut network, &problems);
    Ok(Learnt { task, marks, maps, parameters: network.parameters() })
}

const RATE: f64 = 5e-3;

fn finding(found: &Found) -> Told {
    let share = |task: &str| found.number(&format!("{task}: share of answers")).map(percent);
    Some((
        "accuracy",
        format!(
            "A small transformer learns to reverse ({}) and to sort ({}) digits",
            share("reverse")?,
            share("sort")?
        ),
        format!(
            "It has seen no rule, only questions with answers. Sums take more steps. After these, {} of the \
             sums are right in all digits; they are learned digit by digit. When it reverses, one head \
             gives {} of its weight to the mirrored place.",
            share("add")?,
            fixed(found.number("reverse: weight of the place across")?, 2)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_arithmetic() {
        for task in TASKS {
            let problems = Problems::new(task, 3, 1, 200);
            assert_eq!((problems.count(), problems.tokens.len()), (200, 200 * task.length()));
            for (tokens, labels) in
                problems.tokens.chunks(task.length()).zip(problems.labels.chunks(task.length()))
            {
                let text: String = tokens
                    .iter()
                    .map(|t| ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '='][*t as usize])
                    .collect();
                let answer: String =
                    labels.iter().filter(|l| **l != NOTHING).map(|l| char::from(b'0' + *l as u8)).collect();
                let expected: String = match task {
                    Task::Reverse => text.chars().rev().collect(),
                    Task::Sort => {
                        let mut digits: Vec<char> = text.chars().collect();
                        digits.sort_unstable();
                        digits.into_iter().collect()
                    }
                    Task::Add => {
                        let (a, b) = text.trim_end_matches('=').split_once('+').unwrap();
                        format!("{:04}", a.parse::<u32>().unwrap() + b.parse::<u32>().unwrap())
                    }
                };
                assert_eq!(answer, expected, "{text}");
            }
        }
    }
}
