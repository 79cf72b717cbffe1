//! What metrics and tables are written with alike.

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

/// Rows of a row group at most, as in the files that DuckDB writes. One is in memory, encoded, until it is full.
pub(crate) const GROUP_ROWS: usize = 122_880;
/// Rows of a page at most; each page has its minimum and maximum.
const PAGE_ROWS: usize = 20_000;

pub(crate) fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by(concat!("gradtop ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "gradtop.schema".to_owned(),
            crate::schema::SCHEMA.to_string(),
        )]))
}
