//! Changes of an experiment's parameters since a run was started.

use gradtop_store::ParamValue;

use crate::plugin::desc::ExperimentDesc;
use crate::plugin::params::parse_param;

/// Describes each change of the parameters that a run was given: `momentum is new`, `decay = 0.1 is gone`, or why a
/// value is no longer allowed.
pub fn parameter_changes(given: &[(String, ParamValue)], experiment: &ExperimentDesc) -> Vec<String> {
    let declared = |key: &str| experiment.params.iter().find(|param| param.key == key);
    let changed = given.iter().filter_map(|(key, value)| match declared(key) {
        None => Some(format!("{key} = {value} is gone")),
        Some(param) => parse_param(param, &value.to_string()).err().map(|why| why.to_string()),
    });
    let new = experiment.params.iter().filter(|param| given.iter().all(|(key, _)| *key != param.key));
    changed.chain(new.map(|param| format!("{} is new", param.key))).collect()
}
