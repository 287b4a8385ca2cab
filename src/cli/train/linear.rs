//! Linear regression, exact, with as much ridge as the data ask for.

use std::time::Instant;

use super::super::{Failure, output};
use super::{Done, Job, Precision};
use crate::models::Fitted;
use crate::models::linear::{RidgePath, RidgePoint};
use crate::text::count;
use crate::train::{Trace, Value};
use crate::{Error, Result};

/// Fits.
pub fn fit(job: &Job<'_>) -> Result<Option<Done>, Failure> {
    let Job { args, source, train, .. } = job;
    if train.targets().is_none() {
        let why = "linear tells values, and the target has classes: logistic is the linear model of classes";
        return Err(Error::setting("model", why).into());
    }
    if let Some(Precision::F32) = args.precision {
        return Err(Error::setting("precision", "f32: linear regression works in f64 only").into());
    }
    let (n, d, k) = (train.len(), job.width(), train.target_width());
    if let Some(lack) = job.lacks_memory(d + k) {
        let why = format!("the exact fit of {} takes {lack}: use fewer", count(n, "sample"));
        return Err(Error::setting("limit", why).into());
    }
    let inputs = job.inputs()?;
    let prepared = inputs.prepare(train)?;

    let mut trace = Trace::default();
    trace.set("model", format!("linear {d}-{k}, ridge by leave-one-out"));
    job.record(&mut trace, "f64");
    source.warn();
    if !args.quiet {
        output::line(source.summary())?;
    }
    let start = Instant::now();
    let path = RidgePath::from_dataset(&prepared, true)?;
    let lambdas = path.usual_lambdas();
    let RidgePoint { lambda, model, effective_dimension, .. } = path.best(&lambdas)?;
    let seconds = start.elapsed().as_secs_f64();
    trace.set("ridge", Value::Scientific(lambda));
    trace.result("effective_dimension", effective_dimension);
    if args.trace_times {
        trace.result("fit_seconds", seconds);
    }
    if !args.quiet {
        output::line(format_args!(
            "model: linear regression, λ={lambda:.2e} of {} by the leave-one-out error, {effective_dimension:.1} \
             effective dimensions, {seconds:.1} s",
            lambdas.len()
        ))?;
    }
    let model = Fitted::regressor(model, inputs, train)?;
    Ok(Some(Done::at_once(Box::new(model), trace)))
}
