//! From defaults, a preset and what the user sets to one value for each parameter.

use gradtop_store::ParamValue;

use crate::desc::ExperimentDesc;
use crate::error::ParamError;

/// A value for every parameter, in the order declared: the default, changed by the preset, changed by `sets`.
/// Types, ranges and choices are checked; an unknown key or preset is answered with those that come near.
pub fn resolve_params(
    experiment: &ExperimentDesc,
    _preset: Option<&str>,
    _sets: &[(String, String)],
) -> Result<Vec<(String, ParamValue)>, ParamError> {
    Err(ParamError::Twice { key: experiment.id.clone() })
}
