//! Sealed parts: Parquet files that are signed when written and verified when read.

pub(crate) mod decode;
pub(crate) mod file;
pub(crate) mod merged;
pub(crate) mod metrics;
pub(crate) mod pages;
pub(crate) mod properties;
pub(crate) mod reader;
pub(crate) mod table;
pub(crate) mod thrift;
