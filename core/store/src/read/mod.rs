//! Reading a run, for viewers.

pub(crate) mod average;
pub(crate) mod declared;
pub(crate) mod export;
pub(crate) mod files;
pub(crate) mod headline;
pub(crate) mod missing;
pub(crate) mod outline;
pub(crate) mod series_data;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod tailer;
