//! Optimizers over one parameter tensor, whose state can be saved.

use tch::{TchError, Tensor};

use crate::raw;

/// An optimization method with its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Adam (Kingma and Ba 2015) with torch's defaults: β₁ 0.9, β₂ 0.999, ε 1e-8.
    Adam {
        /// Learning rate, above 0.
        lr: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as torch defines it: p ← p − lr·λ·p before each of Adam's
    /// updates.
    AdamW {
        /// Learning rate, above 0.
        lr: f64,
        /// λ, 0 or more; torch's default is 0.01.
        weight_decay: f64,
    },
    /// Stochastic gradient descent with heavy-ball momentum as torch defines it: u ← μu + g, p ← p − lr·u.
    Sgd {
        /// Learning rate, above 0.
        lr: f64,
        /// μ in [0, 1).
        momentum: f64,
    },
}

impl Rule {
    /// Returns the learning rate.
    pub fn rate(self) -> f64 {
        match self {
            Self::Adam { lr } | Self::AdamW { lr, .. } | Self::Sgd { lr, .. } => lr,
        }
    }

    /// Returns the same method with another learning rate.
    #[must_use]
    pub fn with_rate(mut self, rate: f64) -> Self {
        let (Self::Adam { lr } | Self::AdamW { lr, .. } | Self::Sgd { lr, .. }) = &mut self;
        *lr = rate;
        self
    }

    /// Returns the largest curvature at which updates with this rate do not diverge on a quadratic: 2(1 + μ)/lr for SGD
    /// with the full gradient. For Adam it bounds the Hessian preconditioned by [`Optimizer::preconditioner`], and is
    /// 2(1 + β₁)/((1 − β₁) lr) = 38/lr (Cohen et al. 2022).
    pub fn stability_limit(self) -> f64 {
        match self {
            Self::Adam { lr } | Self::AdamW { lr, .. } => 2.0 * (1.0 + BETA1) / ((1.0 - BETA1) * lr),
            Self::Sgd { lr, momentum } => 2.0 * (1.0 + momentum) / lr,
        }
    }

    fn is_adam(self) -> bool {
        matches!(self, Self::Adam { .. } | Self::AdamW { .. })
    }
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// An optimizer of one parameter tensor, of any shape.
pub struct Optimizer {
    rule: Rule,
    /// Number of updates done.
    step: i64,
    /// Adam's first moment, or the momentum buffer.
    first: Tensor,
    /// Adam's second moment; empty for SGD.
    second: Tensor,
    /// Whether Adam is one loop over memory instead of tensor operations; see [`Optimizer::fused`].
    fused: bool,
    scratch: Tensor,
    /// −lr as a tensor: multiplying by it inside `addcmul` saves an operation.
    minus_lr: Tensor,
}

impl Optimizer {
    /// Creates an optimizer at step 0 for parameters of this shape.
    pub fn new(rule: Rule, parameters: &Tensor) -> Result<Self, TchError> {
        let options = (parameters.kind(), parameters.device());
        let adam = rule.is_adam();
        let empty = || Tensor::f_zeros([0], options);
        Ok(Self {
            rule,
            step: 0,
            fused: false,
            first: parameters.f_zeros_like()?,
            second: if adam { parameters.f_zeros_like()? } else { empty()? },
            scratch: if adam { parameters.f_zeros_like()? } else { empty()? },
            minus_lr: Tensor::f_full([], -rule.rate(), options)?,
        })
    }

    /// Makes updates in one pass over memory if possible (Adam, f32, on the CPU): several times faster, and equal up to
    /// rounding. Otherwise has no effect.
    #[must_use]
    pub fn fused(self) -> Self {
        Self { fused: raw::is_plain(&self.first), ..self }
    }

    /// Makes one update of `parameters` along `gradients`.
    pub fn update(&mut self, parameters: &Tensor, gradients: &Tensor) -> Result<(), TchError> {
        self.step += 1;
        let mut parameters = parameters.shallow_clone();
        let power = self.step.min(i64::from(i32::MAX)) as i32;
        let (correction1, correction2) = (1.0 - BETA1.powi(power), (1.0 - BETA2.powi(power)).sqrt());
        if let Rule::AdamW { lr, weight_decay } = self.rule {
            parameters.f_mul_scalar_(1.0 - lr * weight_decay).map(drop)?;
        }
        match self.rule {
            Rule::Adam { lr } | Rule::AdamW { lr, .. } if self.fused => {
                let step = raw::AdamStep {
                    first: (1.0 - BETA1) as f32,
                    second: (1.0 - BETA2) as f32,
                    epsilon: (EPSILON * correction2) as f32,
                    rate: (lr * correction2 / correction1) as f32,
                };
                raw::adam(&mut parameters, gradients, &mut self.first, &mut self.second, step)?;
            }
            Rule::Adam { lr } | Rule::AdamW { lr, .. } => {
                self.first.f_lerp_(gradients, 1.0 - BETA1).map(drop)?;
                gradients.f_square_out(&self.scratch).map(drop)?;
                self.second.f_lerp_(&self.scratch, 1.0 - BETA2).map(drop)?;
                // p −= lr/c₁ · m / (√v/c₂ + ε), with the factor folded into the denominator to save an operation.
                self.second.f_sqrt_out(&self.scratch).map(drop)?;
                self.scratch.f_add_scalar_(EPSILON * correction2).map(drop)?;
                self.scratch.f_mul_scalar_(-correction1 / (lr * correction2)).map(drop)?;
                parameters.f_addcdiv_(&self.first, &self.scratch).map(drop)?;
            }
            Rule::Sgd { momentum, .. } if momentum > 0.0 => {
                self.first.f_mul_scalar_(momentum).map(drop)?;
                self.first.f_add_(gradients).map(drop)?;
                parameters.f_addcmul_(&self.first, &self.minus_lr).map(drop)?;
            }
            Rule::Sgd { .. } => {
                parameters.f_addcmul_(gradients, &self.minus_lr).map(drop)?;
            }
        }
        Ok(())
    }

    /// Returns what Adam's last update divided its first moment m by, so that p ← p − lr · m / P: P = (1 − β₁ᵗ)(√(v /
    /// (1 − β₂ᵗ)) + ε) for each parameter. `None` for SGD and before the first update.
    pub fn preconditioner(&self) -> Result<Option<Tensor>, TchError> {
        if !self.rule.is_adam() || self.step == 0 {
            return Ok(None);
        }
        let power = self.step.min(i64::from(i32::MAX)) as i32;
        let (correction1, correction2) = (1.0 - BETA1.powi(power), (1.0 - BETA2.powi(power)).sqrt());
        let root = self.second.f_sqrt()?.f_div_scalar(correction2)?;
        root.f_add_scalar(EPSILON)?.f_mul_scalar(correction1).map(Some)
    }

    /// Changes the learning rate of future updates; the optimizer's state is kept. A schedule is a function of the
    /// step, so the rate is not part of [`Optimizer::state`].
    pub fn set_rate(&mut self, rate: f64) -> Result<(), TchError> {
        self.rule = self.rule.with_rate(rate);
        self.minus_lr.f_fill_(-rate).map(drop)
    }

    /// Returns the number of updates done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Returns the state to save in addition to [`Optimizer::step`]: names and tensors.
    pub fn state(&self) -> [(&'static str, &Tensor); 2] {
        [("first", &self.first), ("second", &self.second)]
    }

    /// Restores what [`Optimizer::step`] and [`Optimizer::state`] returned.
    pub fn restore(&mut self, step: i64, first: &Tensor, second: &Tensor) -> Result<(), TchError> {
        for (own, saved) in [(&mut self.first, first), (&mut self.second, second)] {
            if own.size() != saved.size() || own.kind() != saved.kind() {
                return Err(TchError::Shape(format!(
                    "the saved optimizer state is {:?} {:?}, this one needs {:?} {:?}",
                    saved.kind(),
                    saved.size(),
                    own.kind(),
                    own.size()
                )));
            }
            own.f_copy_(saved)?;
        }
        self.step = step;
        Ok(())
    }
}
