//! Generates a C++ plugin: one source file, the headers and a `CMakeLists.txt`.

use super::{File, Kind, sources};

const CMAKE: &str = include_str!("template/cpp/CMakeLists.txt.in");
const LIBTORCH: &str = include_str!("template/cpp/libtorch.cmake");
const EXPORTS: &str = include_str!("template/cpp/exports.map");
const README: &str = include_str!("template/cpp/README.md.in");
const GITIGNORE: &str = include_str!("template/cpp/gitignore");
const PLAIN: &str = include_str!("template/cpp/plain.cpp.in");
const PLAIN_FIGURES: &str = include_str!("template/cpp/plain.figures.toml");
const TORCH: &str = include_str!("template/cpp/torch.cpp.in");
const TORCH_FIGURES: &str = include_str!("template/cpp/torch.figures.toml");

/// All files of a new project.
pub(super) fn files(name: &str, kind: Kind) -> Vec<File> {
    let fill = |template: &str| {
        template
            .replace("{name}", name)
            .replace("{id}", name)
            .replace("{lib}", &super::library(name))
            .replace("{figures}", if kind.torch { TORCH_FIGURES } else { PLAIN_FIGURES })
            .replace("{libtorch}\n", if kind.torch { LIBTORCH } else { "" })
    };
    let mut files = vec![
        ("CMakeLists.txt".into(), fill(CMAKE)),
        ("README.md".into(), fill(README)),
        (".gitignore".into(), GITIGNORE.into()),
        ("src/plugin.cpp".into(), fill(if kind.torch { TORCH } else { PLAIN })),
        ("vendor/gradtop/exports.map".into(), EXPORTS.into()),
    ];
    for (path, text) in sources::SDK {
        if let Some(header) = path.strip_prefix("abi/include/") {
            files.push((format!("vendor/gradtop/{header}").into(), (*text).into()));
        }
    }
    files
}
