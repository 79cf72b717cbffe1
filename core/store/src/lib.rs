//! Run folders: everything gradtop keeps of a run, and the only code that reads or writes it.
//!
//! A run folder (`runs/exp=<experiment>/run=<name>/`) is self-contained; there is no database. The trainer's side is
//! [`Recorder`]: points go to memory on the calling thread, and from there to a journal and to sealed Parquet parts on
//! background threads. The viewer's side is [`view()`], [`Tailer`], [`read_series`] and [`read_table`].
//! `docs/log-format.md` describes the files and what holds at any kill point.

pub mod bench;
mod disk;
mod error;
pub mod figures;
mod folder;
mod liveness;
mod log;
mod non_finite;
mod read;
mod runs;
mod schema;
mod sealed;
mod stages;
mod suggest;
mod toml_words;

pub use disk::inside;
pub use disk::remote::is_remote;
pub use disk::reserve::{give_up_reserve, keep_reserve};
pub use disk::shared::create_shared;
pub use disk::temporary::tmp_beside;
pub use disk::watcher::FolderWatcher;
pub use error::{Result, StoreError, abbreviated, counted};
pub use folder::contents::{foreign, size};
pub use folder::control::{
    KILL, KILLED, Request, WITHDRAWN, clear_control, request, stop_request, stop_stamp, take_requests,
    withdraw_stop,
};
pub use folder::damage::{Damage, known_damage};
pub use folder::ending::recorded_end;
pub use folder::events::{Event, EventLine, EventLog, RaisedAlert, append_event, read_events, whole_event};
pub use folder::holdings::Holdings;
pub use folder::job::{Job, JobSeen, JobStage, NOT_QUEUED, read_job, write_job, write_job_seen};
pub use folder::manifest::{
    AttachedTo, CommandInfo, ExperimentInfo, Goal, ImportInfo, Kind, LogInfo, Manifest, MetricInfo,
    ParamValue, PluginInfo, Versions, read_manifest, replace_manifest, shell_words,
};
pub use folder::notes::{Notes, change_notes, read_notes, validate_tag};
pub use folder::run_dir::RunDir;
pub use folder::run_table::{export_run_table, write_params_table, write_run_table};
pub use folder::settle::{add_last_values, agree, settle, write_end};
pub use folder::status::{Ending, HeadlineValue, State, Status, Waiting, read_status, write_status};
pub use folder::view::{HEARTBEAT, Life, Suspended, View, has_journal, view};
pub use liveness::lock::{RunLock, is_locked};
pub use liveness::machine::{boot_id, host_name, is_started_for, process_start};
pub use liveness::owner::{Owner, RENEW, is_of_earlier_start, is_owned_elsewhere, wait_until_stale};
pub use log::check::{Checked, Content, check, damage_of, damaged_files};
pub use log::checkpoint::{Checkpoint, checkpoints};
pub use log::recorder::{Recorder, RecorderOptions, RecorderStats, Trouble};
pub use log::recover::{Recovery, recover};
pub use log::resume::{prepare_restart, prepare_resume};
pub use log::series::{SYSTEM, SeriesKey, is_system_metric};
pub use non_finite::{non_finite, strict_json};
pub use read::average::Average;
pub use read::declared::{Declared, units_differ};
pub use read::export::{Exported, Shape, export_csv, export_parquet};
pub use read::files::{metric_files, table_files};
pub use read::headline::{Headline, HeadlineLine, headlines, split_rank};
pub use read::missing::{missing_files, missing_tables};
pub use read::outline::{Outline, PageSummary, outline};
pub use read::series_data::{SeriesData, read_series, read_series_around_damage, series_keys};
pub use read::summary::{Point, SeriesSummary, summarize};
pub use read::table::{Table, read_table, read_table_last, read_table_rows, table_names};
pub use read::tailer::{Slice, Tailer};
pub use runs::find::{
    experiment_of, find_folder, find_run, inspect_each, inspect_runs, list_experiments, list_runs,
    list_runs_checked, new_run_name, readable_name, runs_dir, user_dir, validate_experiment, validate_name,
};
pub use runs::new_run::{NewRun, create_run, remove_unfinished};
pub use runs::queue::{
    Claim, InQueue, LockedQueue, QueueSettings, Turn, follow_run, moved, queue_claims, queue_is_mine,
    queue_settings, queue_stamp, queued_run, read_turn, waiting, write_turn,
};
pub use schema::{MAX_SERIES, SCHEMA};
pub use sealed::decode::decoding;
pub use sealed::table::{ColumnData, TableColumn};
pub use suggest::{did_you_mean, near, suggest};
pub use toml_words::{plain_words, toml_message};
