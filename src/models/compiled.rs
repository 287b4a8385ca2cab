//! What is compiled once for each type of numbers.

use std::ops::ControlFlow;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::kernel::{
    Expansion, Falkon, FalkonOptions, FourierRidge, IterativeOptions, IterativeProgress, IterativeRidge,
    Kernel, KernelRidge, NystromOptions, RidgeOptions, RidgePath, Rows, Samples, bodies,
};
use super::ntk::{self, NtkOptions, TangentRidge};
use crate::compiled::compiled_once;
use crate::nn::Module;
use crate::{Result, Tape};

compiled_once! {
    /// Fits of kernel machines.
    Compiled:
    fn gram_lower(kernel: &dyn Kernel<Self>, x: &Samples<Self>) -> Result<DMatrix<Self>> = bodies::gram_lower_of;
    fn cross_block(kernel: &dyn Kernel<Self>, x: Rows<'_, Self>, y: Rows<'_, Self>, out: &mut [Self])
        = bodies::cross_block_of;
    fn kernel_ridge(kernel: Arc<dyn Kernel<Self>>, x: &Samples<Self>, y: &DMatrix<Self>, options: RidgeOptions)
        -> Result<KernelRidge<Self>> = KernelRidge::<Self>::fit_of;
    fn ridge_path(kernel: &dyn Kernel<Self>, x: &Samples<Self>, y: &DMatrix<Self>, memory: u64)
        -> Result<RidgePath<Self>> = RidgePath::<Self>::new_of;
    fn nystrom(kernel: Arc<dyn Kernel<Self>>, x: &Samples<Self>, y: &DMatrix<Self>, options: NystromOptions)
        -> Result<Expansion<Self>> = bodies::nystrom_of;
    fn fourier_ridge(
        kernel: &dyn Kernel<Self>,
        x: &Samples<Self>,
        y: &DMatrix<Self>,
        frequencies: usize,
        seed: u64,
        options: RidgeOptions,
    ) -> Result<FourierRidge<Self>> = FourierRidge::<Self>::fit_of;
    fn falkon(
        kernel: Arc<dyn Kernel<Self>>,
        x: &Samples<Self>,
        y: &DMatrix<Self>,
        options: FalkonOptions,
        observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
    ) -> Result<Falkon<Self>> = bodies::falkon_of;
    fn iterative_ridge(
        kernel: Arc<dyn Kernel<Self>>,
        x: &Samples<Self>,
        y: &DMatrix<Self>,
        options: IterativeOptions,
        observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
    ) -> Result<IterativeRidge<Self>> = bodies::iterative_ridge_of;
    fn leverage_scores(kernel: &dyn Kernel<Self>, x: &Samples<Self>, lambda: f64, pilots: usize, seed: u64)
        -> Result<Vec<f64>> = bodies::leverage_scores_of;
    fn empirical_ntk(model: &dyn Module<Self>, tape: &mut Tape<Self>, x: &Samples<Self>, options: NtkOptions)
        -> Result<DMatrix<Self>> = ntk::bodies::empirical_ntk_of;
    fn empirical_cross_ntk(
        model: &dyn Module<Self>,
        tape: &mut Tape<Self>,
        x: &Samples<Self>,
        y: &Samples<Self>,
        options: NtkOptions,
    ) -> Result<DMatrix<Self>> = ntk::bodies::empirical_cross_ntk_of;
    fn tangent_ridge(
        model: Box<dyn Module<Self>>,
        tape: &Tape<Self>,
        x: &Samples<Self>,
        y: &DMatrix<Self>,
        options: RidgeOptions,
    ) -> Result<TangentRidge<Self>> = TangentRidge::<Self>::fit_of;
}
