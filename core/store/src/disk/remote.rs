//! File systems that other machines may change without notifications from the local kernel.

use std::path::Path;

/// Their types from statfs(2) and linux/magic.h: NFS, SMB and CIFS, FUSE, 9P, Ceph, Lustre, GPFS, AFS, `BeeGFS`, `PanFS`, OCFS2,
/// GFS2, `OrangeFS`, Coda, and the shared folders of virtual machines by Parallels, `VMware` and `VirtualBox`.
const TYPES: [u32; 19] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x6573_5546,
    0x0102_1997,
    0x00c3_6400,
    0x0bd0_0bd0,
    0x4750_4653,
    0x5346_414f,
    0x1983_0326,
    0xaad7_aaea,
    0x7461_636f,
    0x0116_1970,
    0x2003_0528,
    0x7375_7245,
    0x7c7c_6673,
    0xbacb_acbc,
    0x786f_4256,
];

/// Returns whether changes by other machines to a folder can be seen only by polling. For a path that does not exist
/// yet, the closest existing folder decides.
pub fn is_remote(path: &Path) -> bool {
    let there = path.ancestors().find_map(|path| rustix::fs::statfs(path).ok());
    there.is_some_and(|disk| TYPES.contains(&(disk.f_type as u32)))
}
