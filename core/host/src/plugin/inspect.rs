//! Inspects an ELF file without loading it.

use std::fs::File;
use std::path::{Path, PathBuf};

use gradtop_abi::{ABI_MAJOR, ENTRY_PREFIX};
use object::read::ReadCache;
use object::read::elf::{ElfFile64, Sym as _};
use object::{LittleEndian, elf};

use crate::error::Refusal;

/// Properties of a shared library for this architecture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// The major version in its `gradtop_entry_v<major>`, if it exports one. If it exports several, the supported one
    /// is preferred.
    pub exports_entry: Option<u32>,
    /// Whether it needs libtorch.
    pub needs_libtorch: bool,
    /// Every symbol it exports.
    pub exports: Vec<String>,
    /// The libraries it needs (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// Where it searches for them first (`DT_RUNPATH`, else `DT_RPATH`), with `$ORIGIN` replaced.
    pub run_path: Vec<PathBuf>,
}

/// The architecture of this build: its ELF number and name.
#[cfg(target_arch = "x86_64")]
const MACHINE: (elf::Machine, &str) = (elf::EM_X86_64, "x86-64");
#[cfg(target_arch = "aarch64")]
const MACHINE: (elf::Machine, &str) = (elf::EM_AARCH64, "aarch64");

/// Inspects an ELF file. Safe for any file, as nothing in it is run.
///
/// # Errors
/// It is not a shared library for this architecture.
pub fn inspect(file: &Path) -> Result<Inspection, Refusal> {
    inspect_from(file, file.parent().unwrap_or(Path::new("/")))
}

/// Like [`inspect`], with `$ORIGIN` replaced by `origin`: for a copy of a plugin, the folder it was copied from.
pub(crate) fn inspect_from(file: &Path, origin: &Path) -> Result<Inspection, Refusal> {
    // A pipe would block and a folder cannot be read, so only regular files are inspected.
    if !std::fs::metadata(file)?.is_file() {
        return Err(Refusal::Unreadable("it is not a regular file".to_owned()));
    }
    let mut opened = File::open(file)?;
    check_head(&mut opened)?;
    let cache = ReadCache::new(opened);
    let damaged = |e: object::Error| Refusal::DamagedElf(e.to_string());
    let parsed = ElfFile64::<LittleEndian, _>::parse(&cache).map_err(damaged)?;
    let endian = LittleEndian;
    let mut found = Inspection::default();

    let symbols = parsed.elf_dynamic_symbol_table();
    for symbol in symbols.symbols() {
        let bound = symbol.st_bind();
        let hidden = matches!(symbol.st_visibility(), elf::STV_HIDDEN | elf::STV_INTERNAL);
        if symbol.is_undefined(endian) || hidden || !matches!(bound, elf::STB_GLOBAL | elf::STB_WEAK) {
            continue;
        }
        let name = symbol.name(endian, symbols.strings()).map_err(damaged)?;
        found.exports.push(String::from_utf8_lossy(name).into_owned());
    }
    let majors: Vec<u32> =
        found.exports.iter().filter_map(|name| name.strip_prefix(ENTRY_PREFIX)?.parse().ok()).collect();
    found.exports_entry =
        majors.iter().copied().find(|m| *m == ABI_MAJOR).or_else(|| majors.iter().copied().max());

    let dynamic = parsed.elf_dynamic_table().map_err(damaged)?;
    let (mut rpath, mut runpath) = (Vec::new(), Vec::new());
    for entry in &dynamic {
        let list = match entry.tag {
            elf::DT_NEEDED => {
                let name = dynamic.string(entry).map_err(damaged)?;
                found.needed.push(String::from_utf8_lossy(name).into_owned());
                continue;
            }
            elf::DT_RPATH => &mut rpath,
            elf::DT_RUNPATH => &mut runpath,
            _ => continue,
        };
        let text = String::from_utf8_lossy(dynamic.string(entry).map_err(damaged)?).into_owned();
        let origin = origin.to_string_lossy();
        let folders = text.split(':').filter(|p| !p.is_empty());
        list.extend(
            folders.map(|p| PathBuf::from(p.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin))),
        );
    }
    found.run_path = if runpath.is_empty() { rpath } else { runpath };
    found.needs_libtorch = found.needed.iter().any(|n| n.starts_with("libtorch") || n.starts_with("libc10"));
    Ok(found)
}

/// Checks the header: ELF, this architecture, and a shared library.
fn check_head(file: &mut File) -> Result<(), Refusal> {
    use std::io::Read as _;
    let mut head = Vec::with_capacity(64);
    file.by_ref().take(64).read_to_end(&mut head)?;
    if !head.starts_with(&elf::ELFMAG) {
        return Err(Refusal::NotElf);
    }
    if head.len() < 64 {
        return Err(Refusal::DamagedElf(format!("it ends after {} bytes", head.len())));
    }
    let class64 = head[4] == 2;
    let little = head[5] == 1;
    let half = |at: usize| {
        let bytes = [head[at], head[at + 1]];
        if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    };
    let (kind, machine) = (half(16), half(18));
    if !class64 || !little || machine != MACHINE.0.0 {
        let name = match elf::Machine(machine) {
            elf::EM_X86_64 => "x86-64".to_owned(),
            elf::EM_AARCH64 => "aarch64".to_owned(),
            elf::EM_386 => "x86".to_owned(),
            elf::EM_ARM => "arm".to_owned(),
            elf::EM_RISCV => "riscv".to_owned(),
            elf::EM_PPC64 => "ppc64".to_owned(),
            elf::EM_S390 => "s390".to_owned(),
            other => format!("machine {}", other.0),
        };
        let bits = if class64 { 64 } else { 32 };
        let order = if little { "little" } else { "big" };
        return Err(Refusal::WrongArchitecture {
            found: format!("{name} ({bits}-bit, {order}-endian)"),
            wanted: MACHINE.1.to_owned(),
        });
    }
    if elf::FileType(kind) != elf::ET_DYN {
        let found = match elf::FileType(kind) {
            elf::ET_EXEC => "a program".to_owned(),
            elf::ET_REL => "an object file".to_owned(),
            elf::ET_CORE => "a core dump".to_owned(),
            other => format!("a binary of type {}", other.0),
        };
        return Err(Refusal::NotALibrary(found));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn write(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.so");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    fn header(kind: u16, machine: u16) -> Vec<u8> {
        let mut h = vec![0u8; 64];
        h[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        h[16..18].copy_from_slice(&kind.to_le_bytes());
        h[18..20].copy_from_slice(&machine.to_le_bytes());
        h
    }

    #[test]
    fn what_is_no_library_is_named() {
        let (_d, path) = write(b"#!/bin/sh\n");
        assert_eq!(inspect(&path), Err(Refusal::NotElf));
        let (_d, path) = write(b"");
        assert_eq!(inspect(&path), Err(Refusal::NotElf));
        let (_d, path) = write(&header(3, MACHINE.0.0)[..40]);
        assert!(matches!(inspect(&path), Err(Refusal::DamagedElf { .. })));
        let (_d, path) = write(&header(3, 0xb7 ^ u16::from(MACHINE.0.0 == 0xb7)));
        assert!(matches!(inspect(&path), Err(Refusal::WrongArchitecture { .. })));
        let (_d, path) = write(&header(1, MACHINE.0.0));
        assert!(matches!(inspect(&path), Err(Refusal::NotALibrary { .. })));
        assert!(matches!(inspect(Path::new("/")), Err(Refusal::Unreadable { .. })));
        assert!(matches!(inspect(Path::new("/nowhere.so")), Err(Refusal::Unreadable { .. })));
    }

    #[test]
    fn a_cut_library_is_damaged_or_exports_nothing() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for part in 1..8 {
            let (_d, path) = write(&whole[..whole.len() * part / 8]);
            match inspect(&path) {
                Err(Refusal::DamagedElf { .. }) => {}
                other => panic!("{part}/8: {other:?}"),
            }
        }
    }

    #[test]
    fn this_program_says_what_it_needs() {
        let found = inspect(&std::env::current_exe().unwrap()).unwrap();
        assert!(found.needed.iter().any(|n| n.starts_with("libc.so")));
        assert_eq!(found.exports_entry, None);
        assert!(!found.needs_libtorch);
    }
}
