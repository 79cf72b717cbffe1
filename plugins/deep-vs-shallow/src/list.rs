//! Lists of names in parameters.

use gradtop_sdk::prelude::*;

use crate::function_fit::target::invalid;

/// The names of a comma-separated list: at least one, none twice.
pub(crate) fn list(parameter: &str, text: &str) -> Result<Vec<String>> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(invalid(format!(
                "parameter `{parameter}` is `{text}`: a name is missing in the list"
            )));
        }
        if names[..i].contains(name) {
            return Err(invalid(format!("parameter `{parameter}` is `{text}`: `{name}` is named twice")));
        }
    }
    Ok(names)
}
