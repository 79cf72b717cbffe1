//! Chooses the device of a run, with the reason.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::HostError;
use crate::machine::child::{answer_and_leave, run_child};
use crate::machine::dirs::{cache_dir, recall, remember};
use crate::machine::file::identity;
use crate::machine::signals::how_it_ended;
use crate::machine::{cuda, libtorch, program};

/// The requested device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// `cuda:0` if libtorch can use a GPU, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU by its number; an error if it cannot be used.
    Cuda(u32),
}

impl FromStr for DeviceChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("unknown device {text:?}; expected auto, cpu, cuda or cuda:N")),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

/// A GPU as reported by the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its number, in PCI bus order.
    pub index: u32,
    /// Its globally unique id, `GPU-…`.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Memory in bytes.
    pub memory: u64,
}

/// Returns the GPUs that NVML sees.
///
/// # Errors
/// The driver cannot be queried.
pub fn gpus() -> Result<Vec<Gpu>, String> {
    let nvml = nvml()?;
    let count = nvml.device_count().map_err(|e| format!("NVML cannot count the GPUs ({e})"))?;
    let gpu = |index| {
        let device = nvml.device_by_index(index).ok()?;
        let name = device.name().map_or_else(|_| "GPU".to_owned(), |n| crate::text::clean(&n));
        let uuid = device.uuid().unwrap_or_default();
        Some(Gpu { index, uuid, name, memory: device.memory_info().map_or(0, |m| m.total) })
    };
    Ok((0..count).filter_map(gpu).collect())
}

/// Returns the memory in use on a GPU by all processes, in bytes; `index` counts the GPUs visible to this process.
/// `None` if the driver does not report it.
pub fn memory_used(index: u32) -> Option<u64> {
    let (nvml, uuid) = (nvml().ok()?, uuid(index)?);
    nvml.device_by_uuid(uuid).ok()?.memory_info().ok().map(|memory| memory.used)
}

/// Queries the utilization of GPUs through NVML.
#[derive(Debug)]
pub struct Gpus(nvml_wrapper::Nvml);

impl Gpus {
    /// Opens NVML, which may take a while; `None` without an NVIDIA driver.
    #[must_use]
    pub fn open() -> Option<Self> {
        nvml().ok().map(Self)
    }

    /// Returns the current utilization of the GPU with this UUID by all processes, in percent; `None` if it is not
    /// reported, as for MIG instances.
    #[must_use]
    pub fn percent(&self, uuid: &str) -> Option<f64> {
        let device = self.0.device_by_uuid(uuid).ok()?;
        device.utilization_rates().ok().map(|used| f64::from(used.gpu))
    }
}

/// Opens the driver's management library.
pub(crate) fn nvml() -> Result<nvml_wrapper::Nvml, String> {
    // The unversioned name belongs to development packages; the driver installs this one.
    nvml_wrapper::Nvml::builder().lib_path(std::ffi::OsStr::new("libnvidia-ml.so.1")).init().map_err(|e| {
        match e {
            // The loader's message about a library that most machines lack is not helpful.
            nvml_wrapper::error::NvmlError::LibloadingError(_) => "no NVIDIA driver".to_owned(),
            e => format!("the NVIDIA driver does not answer ({e})"),
        }
    })
}

/// Returns the UUID of this process's `cuda:<n>`. The number may mean another GPU in another process.
fn uuid(n: u32) -> Option<String> {
    visible(&gpus().ok()?).into_iter().nth(n as usize)?
}

/// Returns the UUIDs of the GPUs that a run started here sees as `cuda:0`, `cuda:1` and so on; `None` for an unknown one.
#[must_use]
pub fn visible(gpus: &[Gpu]) -> Vec<Option<String>> {
    // The keeper sets the order if it is not set.
    let order = std::env::var(ORDER).unwrap_or_else(|_| BUS_ORDER.to_owned());
    visible_of(std::env::var(VISIBLE).ok().as_deref(), &order, gpus)
}

/// Returns the UUID of a run's GPU; `None` if it has none or may use any.
pub(crate) fn uuid_of(device: &str) -> Option<String> {
    match device.parse() {
        Ok(DeviceChoice::Cuda(n)) => uuid(n),
        _ => None,
    }
}

/// Returns the value of [`VISIBLE`] that restricts a command to this device; `None` if it may use any.
pub(crate) fn seen_alone(device: &str) -> Option<String> {
    seen_alone_of(device, std::env::var(VISIBLE).ok().as_deref())
}

fn seen_alone_of(device: &str, visible: Option<&str>) -> Option<String> {
    let n = match device.parse().ok()? {
        DeviceChoice::Auto => return None,
        DeviceChoice::Cpu => return Some(String::new()),
        DeviceChoice::Cuda(n) => n,
    };
    // A number counts the GPUs visible to this process.
    Some(match visible {
        Some(visible) => visible.split(',').nth(n as usize).unwrap_or_default().trim().to_owned(),
        None => n.to_string(),
    })
}

/// Resolves the device of a command, as recorded in its manifest. Fails if the driver reports that it does not exist;
/// without a driver to query, the command will find out.
pub(crate) fn of_command(choice: DeviceChoice) -> Result<String, HostError> {
    let there = || gpus().map(|gpus| visible(&gpus).len() as u32);
    match choice {
        DeviceChoice::Auto => Ok(String::new()),
        DeviceChoice::Cuda(n) if there().is_ok_and(|count| n >= count) => {
            let why = there().map_or_else(|why| why, how_many);
            Err(HostError::Device { device: choice.to_string(), why })
        }
        choice => Ok(choice.to_string()),
    }
}

/// The variable that restricts the GPUs visible to CUDA.
pub(crate) const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// The variable that determines how CUDA numbers GPUs.
pub(crate) const ORDER: &str = "CUDA_DEVICE_ORDER";
/// The order used by NVML and nvidia-smi.
pub(crate) const BUS_ORDER: &str = "PCI_BUS_ID";

/// Like [`visible`], from the values of `CUDA_VISIBLE_DEVICES` and `CUDA_DEVICE_ORDER` and the GPUs in PCI bus order.
fn visible_of(visible: Option<&str>, order: &str, gpus: &[Gpu]) -> Vec<Option<String>> {
    // In any other order, CUDA lists the GPU it considers fastest first.
    let is_known = gpus.len() == 1 || order == BUS_ORDER;
    let uuid = |gpu: &Gpu| Some(gpu.uuid.clone()).filter(|uuid| !uuid.is_empty());
    let numbered = |gpu: &Gpu| uuid(gpu).filter(|_| is_known);
    let Some(visible) = visible else { return gpus.iter().map(numbered).collect() };
    let named = |entry: &str| {
        if entry.starts_with("MIG-") {
            return Some(Some(entry.to_owned()));
        }
        if !entry.starts_with("GPU-") {
            let n: u32 = entry.parse().ok()?;
            return gpus.iter().find(|gpu| gpu.index == n).map(numbered);
        }
        // A unique prefix is sufficient.
        let mut like = gpus.iter().filter(|g| g.uuid.starts_with(entry));
        like.next().filter(|_| like.next().is_none()).map(uuid)
    };
    // CUDA ignores all entries from the first invalid one on.
    visible.split(',').map_while(|entry| named(entry.trim())).collect()
}

/// Describes how many GPUs a run sees.
fn how_many(count: u32) -> String {
    match (count, std::env::var_os(VISIBLE).is_some()) {
        (0, false) => "CUDA sees no GPU".to_owned(),
        (0, true) => format!("{VISIBLE} hides every GPU"),
        (1, false) => "there is one GPU, cuda:0".to_owned(),
        (1, true) => format!("{VISIBLE} shows one GPU, cuda:0"),
        (n, false) => format!("there are {n} GPUs, counted from 0"),
        (n, true) => format!("{VISIBLE} shows {n} GPUs, counted from 0"),
    }
}

/// Returns how many GPUs a run can use, at least 1. `lib` is the folder of libtorch's libraries, for plugins that use libtorch.
///
/// # Errors
/// Why no GPU can be used.
pub fn usable(lib: Option<&Path>) -> Result<u32, String> {
    let count = match lib {
        Some(lib) => probe(lib),
        None => gpus().map(|gpus| visible(&gpus).len() as u32),
    };
    // The driver's message takes precedence: without a driver, CUDA only reports that it sees none.
    let none = |why: String| gpus().err().unwrap_or(why);
    match count {
        Ok(0) => Err(none(how_many(0))),
        counted => counted.map_err(none),
    }
}

/// Resolves a run's device to the CPU or a GPU, with the reason if gradtop chose it. `lib` is the folder of libtorch's
/// libraries, for plugins that use libtorch. `elsewhere` is set for a run on another machine, of which only is known whether it
/// has a GPU.
pub(crate) fn resolve(
    choice: DeviceChoice,
    uses_device: bool,
    lib: Option<&Path>,
    elsewhere: Option<bool>,
) -> Result<(DeviceChoice, Option<String>), HostError> {
    use DeviceChoice::{Auto, Cpu, Cuda};
    let cpu = |why: &str| Ok((Cpu, Some(why.to_owned())));
    let refuse = |why: String| Err(HostError::Device { device: choice.to_string(), why });
    match (choice, elsewhere) {
        (Auto, _) if !uses_device => cpu("the experiment uses no GPU"),
        (Auto, Some(true)) => Ok((Cuda(0), Some("a GPU of its job".to_owned()))),
        (Auto, Some(false)) => cpu("its job asks for no GPU"),
        (Auto, None) => {
            // Without a working driver, CUDA need not be opened.
            let gpus = match gpus() {
                Ok(gpus) => gpus,
                Err(why) => return cpu(&why),
            };
            match usable(lib) {
                Ok(_) => {
                    let first = visible(&gpus).into_iter().next().flatten();
                    let first = first.and_then(|uuid| gpus.iter().find(|g| g.uuid == uuid));
                    Ok((Cuda(0), Some(first.map_or_else(|| "a GPU".to_owned(), |g| g.name.clone()))))
                }
                Err(why) => cpu(&why),
            }
        }
        (Cuda(_), _) if !uses_device => {
            refuse("the experiment uses no GPU: run it with --device cpu".to_owned())
        }
        (Cuda(n), None) => match usable(lib) {
            Ok(count) if n < count => Ok((choice, None)),
            Ok(count) => refuse(how_many(count)),
            Err(why) => refuse(why),
        },
        (Cpu, _) | (Cuda(_), Some(_)) => Ok((choice, None)),
    }
}

/// The result of a probe, with the circumstances it depends on.
#[derive(Serialize, Deserialize)]
struct Probed {
    of: String,
    count: u32,
}

/// Returns how many GPUs the libtorch in `lib` can use. A child opens its CUDA part, because that is large and is never
/// unloaded. Success is cached for this boot, library and set of visible GPUs; the trainer checks again in any case.
fn probe(lib: &Path) -> Result<u32, String> {
    let library = lib.join(libtorch::CUDA);
    let Ok((size, changed)) = identity(&library) else {
        return Err(format!(
            "{} has no {}: `gradtop setup --cuda` downloads libtorch with CUDA",
            lib.display(),
            libtorch::CUDA
        ));
    };
    let visible = std::env::var(VISIBLE);
    let of = format!("{} {size} {changed} {} {visible:?}", library.display(), gradtop_store::boot_id());
    let cache = cache_dir().map(|d| d.join("cuda.json"));
    let cached = cache.as_deref().and_then(recall::<Probed>);
    if let Some(cached) = cached.filter(|c| c.of == of) {
        return Ok(cached.count);
    }
    let mut command = program::command();
    command.arg("__probe_cuda").arg(lib);
    let child = run_child(command, None, Duration::from_mins(1), false).map_err(|e| e.to_string())?;
    let status = child.status.ok_or("CUDA did not answer within 60 s")?;
    let count = serde_json::from_slice::<Result<u32, String>>(&child.answer)
        .map_err(|_| format!("the check for CUDA ended with {}", how_it_ended(status)))??;
    if let Some(cache) = cache.filter(|_| count > 0) {
        remember(&cache, &Probed { of, count });
    }
    Ok(count)
}

/// The child of [`probe`], `gradtop __probe_cuda FOLDER`.
pub(crate) fn probe_main(lib: &Path) -> i32 {
    answer_and_leave(|| {
        let opened = cuda::open_libtorch(lib, true).map_err(|e| e.to_string());
        Some(opened.and_then(|()| cuda::cuda_devices()))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn choices_are_read_and_written_alike() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert!("cuda:x".parse::<DeviceChoice>().is_err());
        assert!("gpu".parse::<DeviceChoice>().is_err());
    }

    #[test]
    fn a_gpu_is_known_by_its_uuid_whatever_a_process_sees() {
        let gpu = |index, uuid: &str| Gpu { index, uuid: uuid.to_owned(), name: String::new(), memory: 0 };
        let gpus = [gpu(0, "GPU-aa11"), gpu(1, "GPU-ab22"), gpu(2, "GPU-cc33"), gpu(3, "GPU-dd44")];
        let of = |n: usize, visible, order| visible_of(visible, order, &gpus).into_iter().nth(n).flatten();
        let count = |visible, order| visible_of(visible, order, &gpus).len();
        let (bus, fastest) = (BUS_ORDER, "FASTEST_FIRST");
        let is = |uuid: &str| Some(uuid.to_owned());
        assert_eq!(of(1, None, bus), is("GPU-ab22"));
        assert_eq!(of(0, Some("3, 1"), bus), is("GPU-dd44"));
        assert_eq!(of(1, Some("3, 1"), bus), is("GPU-ab22"));
        assert_eq!(of(2, Some("3,1"), bus), None);
        assert_eq!(of(0, Some("GPU-cc33"), fastest), is("GPU-cc33"));
        assert_eq!(of(1, Some("GPU-c,GPU-dd44"), fastest), is("GPU-dd44"));
        assert_eq!(of(0, Some("GPU-a"), fastest), None, "two begin so");
        assert_eq!(
            of(1, Some("GPU-zz,GPU-dd44"), fastest),
            None,
            "CUDA sees none after one that is not there"
        );
        assert_eq!(of(0, Some("MIG-7c1a"), fastest), is("MIG-7c1a"));
        assert_eq!(of(0, Some(""), bus), None);
        assert_eq!(of(0, Some("-1"), bus), None);
        assert_eq!(of(0, None, fastest), None, "the fastest first, whichever that is");
        assert_eq!(visible_of(None, fastest, &gpus[..1]), [is("GPU-aa11")]);
        for order in [bus, fastest] {
            assert_eq!(count(None, order), 4);
            assert_eq!(count(Some("3,1"), order), 2);
            assert_eq!(count(Some("1,4,0"), order), 1, "none after one that is not there");
            assert_eq!((count(Some(""), order), count(Some("-1"), order)), (0, 0));
        }
    }

    #[test]
    fn a_command_sees_its_device_alone() {
        let of = |device, visible| seen_alone_of(device, visible);
        let is = |text: &str| Some(text.to_owned());
        assert_eq!((of("", None), of("auto", None)), (None, None));
        assert_eq!((of("cpu", None), of("cpu", Some("0,1"))), (is(""), is("")));
        assert_eq!(of("cuda:1", None), is("1"));
        assert_eq!(of("cuda:1", Some("GPU-a, 3")), is("3"));
        assert_eq!(of("cuda:2", Some("0,1")), is(""), "never another one");
    }

    #[test]
    fn an_experiment_without_a_device_runs_on_the_cpu_and_says_why() {
        let (device, why) = resolve(DeviceChoice::Auto, false, None, None).unwrap();
        assert_eq!((device, why.as_deref()), (DeviceChoice::Cpu, Some("the experiment uses no GPU")));
        assert!(resolve(DeviceChoice::Cuda(0), false, None, None).is_err());
    }
}
