//! Run folders: everything gradtop keeps of a run, and the only code that writes or reads it.
//!
//! A run folder stands alone (`runs/exp=<experiment>/run=<name>/`); there is no database beside it. The trainer's side is
//! [`Recorder`]: points go to memory on the calling thread and to a journal, then to sealed Parquet parts, on threads of
//! its own. The viewer's side is [`view()`], [`Tailer`], [`read_series`] and [`read_table`]. What holds at any kill point
//! and how files are named is written in `docs/log-format.md`.

pub mod bench;
mod birth;
mod check;
mod checkpoint;
mod contents;
mod control;
#[cfg(test)]
mod crash_tests;
mod damage;
mod decode;
mod ending;
mod error;
mod events;
pub mod figures;
mod fsutil;
mod headline;
mod held;
pub mod inside;
mod journal;
mod lock;
mod machine;
mod manifest;
mod merge;
mod metrics;
mod near;
mod outline;
mod pages;
mod parallel;
mod part;
mod patience;
mod read;
mod recorder;
mod recover;
mod reserve;
mod rows;
mod run_dir;
mod run_table;
mod seal;
mod sealed;
mod serde_float;
mod series;
mod settle;
mod status;
mod sum;
mod summary;
pub mod synthetic;
mod table;
mod tailer;
mod thrift;
mod view;

pub use birth::{Birth, create_run, remove_unfinished};
pub use check::{Checked, Content, check};
pub use checkpoint::{Checkpoint, checkpoints, prepare_resume};
pub use contents::foreign;
pub use control::{
    KILL, KILLED, Request, WITHDRAWN, clear_control, request, stop_request, take_requests, withdraw_stop,
};
pub use damage::{Damage, known_damage};
pub use decode::decoding;
pub use ending::recorded_end;
pub use error::{Result, StoreError};
pub use events::{Event, EventLine, EventLog, append_event, read_events};
pub use fsutil::tmp_beside;
pub use headline::{Headline, HeadlineLine, headlines, split_rank};
pub use lock::{RunLock, is_locked};
pub use machine::{boot_id, host_name, is_started_for, process_start};
pub use manifest::{
    ExperimentInfo, Goal, Manifest, MetricInfo, ParamValue, PluginInfo, Versions, read_manifest,
};
pub use near::{near, suggest};
pub use outline::{Outline, PageSummary, outline};
pub use read::{SeriesData, read_series, read_series_around_damage, series_keys};
pub use recorder::{Recorder, RecorderOptions, RecorderStats, Trouble};
pub use recover::{Recovery, recover};
pub use reserve::{give_up_reserve, keep_reserve};
pub use run_dir::{
    RunDir, create_shared, find_folder, find_run, list_experiments, list_runs, list_runs_checked,
    new_run_name, runs_dir, validate_name,
};
pub use run_table::{write_params_table, write_run_table};
pub use series::SeriesKey;
pub use settle::settle;
pub use status::{Ending, HeadlineValue, State, Status, Waiting, read_status, write_status};
pub use summary::{Point, SeriesSummary, summarize};
pub use table::{ColumnData, Table, TableColumn, read_table, read_table_last, read_table_rows, table_names};
pub use tailer::{Row, Slice, Tailer};
pub use view::{HEARTBEAT, Life, Suspended, View, has_journal, view};

/// The version of the run folder's files written by this crate.
pub const SCHEMA: u32 = 1;

/// The most series a run may have.
pub const MAX_SERIES: usize = 100_000;
