//! Measures how fast this machine opens and draws runs, without a terminal. This is a test because it needs the program's
//! internals.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use gradtop_store::RunDir;
use gradtop_tests::figures::measured;
use gradtop_tests::synthetic;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget as _;

use crate::print::{self, paint::Painter};
use crate::widgets::{ChartCache, ChartCell, Turns};
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::number;
use gradtop_view::figure::view::{ChartView, Source, Subject};
use gradtop_view::live::engine::WatchedRuns;
use gradtop_view::live::{RunData, SeriesFilter, WatchRequest};
use gradtop_view::runs::RunId;

/// Charts per frame.
const CHARTS: u32 = 12;
const SCREEN: Rect = Rect { x: 0, y: 0, width: 200, height: 50 };
/// Number of points of each run.
const SIZES: [u64; 3] = [10_000, 1_000_000, 10_000_000];
/// The fastest of so many rounds counts.
const ROUNDS: usize = 5;

/// Measurements of one run.
struct Measured {
    points: u64,
    /// Time until all charts are drawn.
    open: Duration,
    /// Time until every row has been read.
    exact: Duration,
    /// Time to draw all charts: every one anew, and unchanged.
    frame: Duration,
    again: Duration,
    /// The same with smoothing.
    smooth: Duration,
    /// Time to compute the bytes that turn one of these frames into the other, and their number.
    diff: Duration,
    bytes: usize,
    /// Resident memory with the run open, in bytes.
    memory: u64,
}

/// If this variable is `POINTS FOLDER`, the test only creates a run. It does so in its own process, whose memory is not
/// measured.
const MAKE: &str = "GRADTOP_BENCH_MAKE";

/// Runs once with a small run as a test; with all sizes for `cargo xtask bench monitor`.
#[test]
fn opens_and_draws() -> Result<()> {
    if let Ok(asked) = std::env::var(MAKE) {
        let (points, runs) = asked.split_once(' ').context("POINTS FOLDER")?;
        synthetic::finished(Path::new(runs), &name(points.parse()?), points.parse()?)?;
        return Ok(());
    }
    let temp = tempfile::tempdir()?;
    let theme = Theme::default();
    if std::env::var_os("GRADTOP_BENCH").is_none() {
        let run = synthetic::finished(temp.path(), "small", SIZES[0])?;
        round(&run, SIZES[0], theme)?;
        return Ok(());
    }
    print::line(&format!(
        "finished runs, {CHARTS} charts at {}x{}, least of {ROUNDS}",
        SCREEN.width, SCREEN.height
    ));
    print::line("    points   full frame   every row   12 charts   smoothed   unchanged   memory");
    for points in SIZES {
        let made = Command::new(std::env::current_exe()?)
            .args(["--exact", "bench_tests::opens_and_draws"])
            .env(MAKE, format!("{points} {}", temp.path().display()))
            .output()?;
        ensure!(made.status.success(), "the run of {points} points could not be made");
        let m = measure(&gradtop_store::find_run(temp.path(), &name(points))?, points, theme)?;
        print::line(&format!(
            "{:>10}   {:>7.1} ms  {:>7.1} ms  {:>6.2} ms  {:>6.2} ms   {:>6.2} ms   {}",
            number::count(m.points as f64),
            ms(m.open),
            ms(m.exact),
            ms(m.frame),
            ms(m.smooth),
            ms(m.again),
            number::bytes(m.memory),
        ));
        if points == SIZES[2] {
            measured("draw.frame", ms(m.frame), None);
            measured("draw.smoothed", ms(m.smooth), None);
            measured("draw.unchanged", ms(m.again), None);
            measured("draw.diff", ms(m.diff), None);
            measured("draw.bytes", m.bytes as f64 / 1e3, None);
        }
    }
    Ok(())
}

fn name(points: u64) -> String {
    format!("points-{points}")
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

fn measure(run: &RunDir, points: u64, theme: Theme) -> Result<Measured> {
    let mut least: Option<Measured> = None;
    for _ in 0..ROUNDS {
        let m = round(run, points, theme)?;
        let l = least.get_or_insert(Measured { ..m });
        l.open = l.open.min(m.open);
        l.exact = l.exact.min(m.exact);
        l.frame = l.frame.min(m.frame);
        l.again = l.again.min(m.again);
        l.smooth = l.smooth.min(m.smooth);
        l.diff = l.diff.min(m.diff);
        l.memory = l.memory.max(m.memory);
    }
    least.context("no round")
}

fn round(run: &RunDir, points: u64, theme: Theme) -> Result<Measured> {
    let start = Instant::now();
    let mut reader = WatchedRuns::new();
    let id = RunId::new(run);
    let metrics = (0..CHARTS).map(synthetic::metric).collect();
    let request =
        WatchRequest { series: SeriesFilter::Metrics(metrics), ..WatchRequest::of(id.clone(), false) };
    reader.watch(vec![request.clone()], start);
    let cache = ChartCache::default();
    let mut buffer = Buffer::empty(SCREEN);
    let mut open = None;
    let exact = loop {
        reader.work(Instant::now(), Duration::from_millis(40));
        let snapshot = reader.snapshot();
        let data = snapshot.run(&id).context("a watched run is in the snapshot")?;
        ensure!(data.error.is_none(), "the run cannot be read: {:?}", data.error);
        if data.series.len() == CHARTS as usize && open.is_none() {
            draw(data, &ChartView::default(), theme, &cache, &mut buffer);
            open = Some(start.elapsed());
        }
        if !data.progress.reading && open.is_some() {
            draw(data, &ChartView::default(), theme, &cache, &mut buffer);
            break start.elapsed();
        }
        ensure!(start.elapsed() < Duration::from_mins(1), "the run was not read within a minute");
    };
    let snapshot = reader.snapshot();
    let data = snapshot.run(&id).context("a watched run is in the snapshot")?;
    let timed = |view: &ChartView, anew: bool, buffer: &mut Buffer| {
        let times = (0..20).map(|_| {
            if anew {
                cache.clear();
            }
            let start = Instant::now();
            draw(data, view, theme, &cache, buffer);
            start.elapsed()
        });
        times.min().unwrap_or_default()
    };
    let plain = ChartView::default();
    let frame = timed(&plain, true, &mut buffer);
    let again = timed(&plain, false, &mut buffer);
    let memory = resident()?;
    let plainly = buffer.clone();
    reader.watch(vec![WatchRequest { smoothing: 0.9, ..request }], Instant::now());
    while reader.work(Instant::now(), Duration::from_millis(40)).next == Some(Duration::ZERO) {}
    let smoothed = reader.snapshot();
    let data = smoothed.run(&id).context("a watched run is in the snapshot")?;
    let view = ChartView { smoothing: 0.9, ..ChartView::default() };
    let times = (0..20).map(|_| {
        cache.clear();
        let start = Instant::now();
        draw(data, &view, theme, &cache, &mut buffer);
        start.elapsed()
    });
    let smooth = times.min().unwrap_or_default();
    let mut painter = Painter::new((SCREEN.width, SCREEN.height));
    painter.show(&mut plainly.clone());
    painter.take();
    let (mut diff, mut bytes) = (Duration::MAX, 0);
    for picture in [&buffer, &plainly].repeat(10) {
        let mut next = picture.clone();
        let start = Instant::now();
        painter.show(&mut next);
        bytes = painter.take().len();
        diff = diff.min(start.elapsed());
    }
    Ok(Measured { points, open: open.unwrap_or(exact), exact, frame, again, smooth, diff, bytes, memory })
}

/// Draws all charts, four in a row.
fn draw(data: &RunData, view: &ChartView, theme: Theme, cache: &ChartCache, buffer: &mut Buffer) {
    let (width, height) = (SCREEN.width / 4, SCREEN.height / 3);
    let sources = [Source { data, label: None }];
    for n in 0..CHARTS {
        let name = synthetic::metric(n);
        let area = Rect::new((n % 4) as u16 * width, (n / 4) as u16 * height, width, height);
        let cell = ChartCell {
            sources: &sources,
            subject: Subject::Metric(&name),
            view,
            theme,
            focused: n == 0,
            cache,
            slot: u64::from(n),
            page: 1,
            turns: &Turns::default(),
        };
        cell.render(area, buffer);
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0);
    Ok(kib * 1024)
}
