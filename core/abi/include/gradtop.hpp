// gradtop plugins in C++17: one header on gradtop.h, with no library of its own.
//
//   struct Descent {
//     double lr = 0.1;
//     std::int64_t steps = 200;
//
//     static gradtop::Info<Descent> info() {
//       gradtop::Info<Descent> info("descent", "Gradient descent", "Follows the gradient of x squared");
//       info.param("lr", &Descent::lr, "Learning rate").above(0).max(1).log();
//       info.param("steps", &Descent::steps, "Number of steps").min(1);
//       info.metric("loss", "x squared").minimize().headline().guard().log();
//       info.preset("quick", "A few steps", {{"steps", "20"}});
//       return info;
//     }
//
//     void run(gradtop::Ctx &ctx) {
//       const auto loss = ctx.series(gradtop::Series("loss").split("train"));
//       double x = 3;
//       for (const auto step : ctx.steps(0, steps)) {  // progress, pause and stop
//         ctx.log(step, {{loss, x * x}});
//         x -= lr * 2 * x;
//       }
//     }
//   };
//
//   GRADTOP_EXPORT(Descent);
//
// An experiment is a default-constructible type with a static info() and a run(Ctx &); a member validate(), if there is one,
// judges parameters that must fit each other, before there is a run. Parameters are members: their type and initial value are
// the parameter's type and default. One object is made for each run and destroyed at its end.
//
// An exception that leaves run() ends the run with its text: the first line is the message, the rest goes to the run's log.
// gradtop::Error has a status of its own, std::system_error (files, streams) means GRADTOP_IO, everything else GRADTOP_FAILED.
// Stopped is how a stop leaves run(): it is not a std::exception, so that no handler of those swallows it.
//
// Errors: every member function of Ctx throws Error with gradtop's reason when it is refused.
#ifndef GRADTOP_HPP
#define GRADTOP_HPP
#include "gradtop.h"

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <locale>
#include <memory>
#include <new>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#if __has_include(<torch/version.h>)
#include <torch/version.h>
#endif

namespace gradtop {

/// A failure with a status of the ABI.
class Error : public std::runtime_error {
public:
  explicit Error(const std::string &why, gradtop_status status = GRADTOP_FAILED)
      : std::runtime_error(why), status_(status) {}

  gradtop_status status() const noexcept { return status_; }

private:
  gradtop_status status_;
};

/// Thrown by Ctx::step_end once a stop is asked for. Let it pass: the run then ends as stopped.
struct Stopped {};

/// Names a series: a metric, perhaps of a model, a split ("train", "test") and a trial (0 or more).
class Series {
public:
  explicit Series(std::string metric) : metric_(std::move(metric)) {}

  Series &model(std::string name) { return model_ = std::move(name), *this; }
  Series &split(std::string name) { return split_ = std::move(name), *this; }
  Series &trial(std::int32_t number) { return trial_ = number, *this; }

private:
  friend class Ctx;
  std::string metric_;
  std::optional<std::string> model_, split_;
  std::int32_t trial_ = -1;
};

/// A series that gradtop knows; from Ctx::series.
struct SeriesId {
  std::uint32_t number;
};

/// A value of a series. NaN and infinity are values.
struct Point : gradtop_point {
  Point(SeriesId id, double number) : gradtop_point{id.number, 0, number} {}
};
static_assert(sizeof(Point) == sizeof(gradtop_point));

/// A column of a table: a copy of the values, so that temporaries may be given.
class Column {
public:
  /// Values of a container: whole numbers, floating-point numbers or strings.
  template <class Values, class = decltype(std::begin(std::declval<const Values &>()))>
  Column(std::string name, const Values &values) : name_(std::move(name)) {
    fill(std::begin(values), std::end(values));
  }

  template <class T> Column(std::string name, std::initializer_list<T> values) : name_(std::move(name)) {
    fill(values.begin(), values.end());
  }

  /// `count` values in memory, such as those of a tensor on the CPU.
  template <class T> Column(std::string name, const T *values, std::size_t count) : name_(std::move(name)) {
    fill(values, values + count);
  }

  /// Bytes, `width` of them a row: images, for example.
  static Column bytes(std::string name, const std::vector<std::uint8_t> &data, std::size_t width) {
    if (width == 0 || data.size() % width != 0)
      throw Error("column `" + name + "`: " + std::to_string(data.size()) + " bytes are not rows of " +
                      std::to_string(width),
                  GRADTOP_INVALID);
    Column column(std::move(name), GRADTOP_COLUMN_BYTES, data.size() / width);
    column.text_.assign(data.begin(), data.end());
    column.width_ = width;
    return column;
  }

  Column &unit(std::string unit) & { return unit_ = std::move(unit), *this; }
  Column &&unit(std::string unit) && { return unit_ = std::move(unit), std::move(*this); }

private:
  friend class Ctx;

  Column(std::string name, std::uint32_t type, std::size_t rows) : name_(std::move(name)), type_(type), rows_(rows) {}

  template <class Iterator> void fill(Iterator begin, Iterator end) {
    using Value = std::decay_t<decltype(*begin)>;
    if constexpr (std::is_convertible_v<Value, std::string_view>) {
      type_ = GRADTOP_COLUMN_UTF8;
      offsets_.push_back(0);
      for (; begin != end; ++begin, ++rows_) {
        text_ += std::string_view(*begin);
        offsets_.push_back(text_.size());
      }
    } else if constexpr (std::is_integral_v<Value>) {
      type_ = GRADTOP_COLUMN_I64;
      for (; begin != end; ++begin, ++rows_) integers_.push_back(static_cast<std::int64_t>(*begin));
    } else {
      static_assert(std::is_floating_point_v<Value>, "a column holds whole numbers, floating-point numbers or strings");
      type_ = GRADTOP_COLUMN_F64;
      for (; begin != end; ++begin, ++rows_) numbers_.push_back(static_cast<double>(*begin));
    }
  }

  gradtop_column raw() const {
    const void *data = type_ == GRADTOP_COLUMN_I64   ? static_cast<const void *>(integers_.data())
                       : type_ == GRADTOP_COLUMN_F64 ? static_cast<const void *>(numbers_.data())
                                                     : static_cast<const void *>(text_.data());
    return {sizeof(gradtop_column), type_, name_.c_str(), unit_ ? unit_->c_str() : nullptr, data,
            type_ == GRADTOP_COLUMN_UTF8 ? offsets_.data() : nullptr, width_};
  }

  std::string name_;
  std::optional<std::string> unit_;
  std::uint32_t type_ = 0;
  std::size_t rows_ = 0;
  std::vector<std::int64_t> integers_;
  std::vector<double> numbers_;
  std::string text_;
  std::vector<std::uint64_t> offsets_;
  std::uint64_t width_ = 0;
};

class Ctx;

/// The steps from one number to before another, for a range-based for: after each one, progress is shown, a pause is waited
/// for, and a stop throws Stopped.
class Steps {
public:
  class Iterator {
  public:
    std::int64_t operator*() const { return step_; }
    inline Iterator &operator++();
    bool operator!=(const Iterator &other) const { return step_ < other.step_; }

  private:
    friend class Steps;
    Iterator(const Steps *steps, std::int64_t step) : steps_(steps), step_(step) {}
    const Steps *steps_;
    std::int64_t step_;
  };

  Iterator begin() const { return {this, first_}; }
  Iterator end() const { return {this, end_}; }

private:
  friend class Ctx;
  Steps(Ctx &ctx, std::int64_t first, std::int64_t end, std::string phase)
      : ctx_(&ctx), first_(first), end_(end), phase_(std::move(phase)) {}

  Ctx *ctx_;
  std::int64_t first_, end_;
  std::string phase_;
};

/// What a running experiment sees of gradtop: logging, progress, stop, pause, checkpoints. All threads may log; step_end (and so
/// a loop over steps) and checkpoint belong to the thread that run() was called on.
class Ctx {
public:
  /// The same seed must give the same numbers.
  std::uint64_t seed() const { return host_.seed; }

  /// -1: the CPU; n: the CUDA device n.
  int device() const { return host_.device; }

  /// How many threads the run may use, at least 1.
  int threads() const { return host_.threads < 1 ? 1 : host_.threads; }

  /// The run's folder.
  const std::filesystem::path &run_dir() const { return run_dir_; }

  /// The checkpoint to resume from, if the run is resumed.
  const std::optional<std::filesystem::path> &resume_dir() const { return resume_dir_; }

  /// Makes a series known; the same series gives the same id. Call it before the loop.
  SeriesId series(const Series &series) {
    const auto text = [](const std::optional<std::string> &word) { return word ? word->c_str() : nullptr; };
    const gradtop_series raw = {sizeof raw, series.trial_, series.metric_.c_str(), text(series.model_), text(series.split_)};
    SeriesId id{};
    call("series", host_.series, &raw, &id.number);
    return id;
  }

  /// Logs values at a step, and perhaps the epoch that it is in (0.5: half of the first). Steps may repeat and go back: every row
  /// is kept, in the order logged.
  void log(std::int64_t step, std::initializer_list<Point> points, double epoch = no_epoch()) {
    log(step, points.begin(), points.size(), epoch);
  }
  void log(std::int64_t step, const std::vector<Point> &points, double epoch = no_epoch()) {
    log(step, points.data(), points.size(), epoch);
  }

  /// Appends rows to a table, for what is not a time series: predictions, eigenvalues, images. Columns have the same number of
  /// rows; gradtop adds a column `step`.
  void table(const std::string &name, std::int64_t step, const std::vector<Column> &columns) {
    std::vector<gradtop_column> raw;
    std::vector<const gradtop_column *> pointers;
    for (const Column &column : columns) {
      if (column.rows_ != columns.front().rows_)
        throw Error("table `" + name + "`: column `" + column.name_ + "` has " + std::to_string(column.rows_) +
                        " rows, column `" + columns.front().name_ + "` has " + std::to_string(columns.front().rows_),
                    GRADTOP_INVALID);
      raw.push_back(column.raw());
    }
    for (const gradtop_column &column : raw) pointers.push_back(&column);
    call("log_table", host_.log_table, name.c_str(), step, pointers.data(), std::uint64_t{pointers.size()},
         std::uint64_t{columns.empty() ? 0 : columns.front().rows_});
  }

  /// Adds figures, or replaces those of the same id; TOML as for Info::figures.
  void figures(const std::string &toml) { call("declare_figures", host_.declare_figures, toml.c_str()); }

  /// Lines for the run's log.
  void error(std::string_view line) { text(GRADTOP_LOG_ERROR, line); }
  void warn(std::string_view line) { text(GRADTOP_LOG_WARNING, line); }
  void info(std::string_view line) { text(GRADTOP_LOG_INFO, line); }
  void debug(std::string_view line) { text(GRADTOP_LOG_DEBUG, line); }

  /// The steps of the training: `for (const auto step : ctx.steps(first, end))`.
  Steps steps(std::int64_t first, std::int64_t end, std::string phase = "training") {
    return {*this, first, end, std::move(phase)};
  }

  /// How much is done, of how much (0: unknown).
  void progress(std::int64_t done, std::int64_t total, const std::string &phase) {
    const auto positive = [](std::int64_t n) { return static_cast<std::uint64_t>(n < 0 ? 0 : n); };
    call("progress", host_.progress, positive(done), positive(total), phase.c_str());
  }

  /// Whether a stop is asked for: one atomic load, for long work within a step.
  bool should_stop() const { return host_.should_stop != nullptr && host_.should_stop(host_.ctx) != 0; }

  /// The end of a step: waits while the run is paused, throws Stopped once a stop is asked for.
  void step_end() {
    on_main("step_end");
    call("step_end", host_.step_end);
  }

  /// Whether a checkpoint is asked for or due. Ask after each step, before step_end.
  bool should_checkpoint() const {
    return host_.should_checkpoint != nullptr && host_.should_checkpoint(host_.ctx) != 0;
  }

  /// Writes a checkpoint: `save(folder)` gets the path of a fresh, empty folder and puts there everything that resume_dir() must
  /// give back: model, optimizer and random state. If it throws, the folder is discarded. A disk that takes no checkpoint (it is
  /// full, or save throws std::system_error) is no error: gradtop warns, keeps nothing, and has the next one due as usual.
  template <class Save> void checkpoint(std::int64_t step, Save &&save) {
    on_main("checkpoint");
    struct Saving {
      std::remove_reference_t<Save> &save;
      std::exception_ptr thrown;
    } saving{save, nullptr};
    const auto trampoline = [](void *user, const char *dir) noexcept -> gradtop_status {
      auto &own = *static_cast<Saving *>(user);
      try {
        own.save(std::filesystem::path(dir));
        return GRADTOP_OK;
      } catch (const Stopped &) {
        own.thrown = std::current_exception();
        return GRADTOP_STOPPED;
      } catch (const Error &error) {
        own.thrown = std::current_exception();
        return error.status();
      } catch (const std::system_error &) {
        own.thrown = std::current_exception();
        return GRADTOP_IO;
      } catch (...) {
        own.thrown = std::current_exception();
        return GRADTOP_FAILED;
      }
    };
    if (host_.checkpoint == nullptr) absent("checkpoint");
    const gradtop_status status = host_.checkpoint(host_.ctx, step, trampoline, &saving);
    if (status == GRADTOP_OK) return;
    if (saving.thrown) std::rethrow_exception(saving.thrown);
    refuse("checkpoint", status);
  }

  /// The same where should_checkpoint() says so.
  template <class Save> void checkpoint_if_due(std::int64_t step, Save &&save) {
    if (should_checkpoint()) checkpoint(step, std::forward<Save>(save));
  }

  Ctx(const Ctx &) = delete;
  Ctx &operator=(const Ctx &) = delete;

  /// For the entry below: a host as gradtop gives it, and the folder of a checkpoint or null.
  Ctx(const gradtop_host *host, const char *resume_dir) {
    if (host == nullptr) throw Error("the host is null", GRADTOP_INVALID);
    // Fields past the size that the host states do not exist: they stay null.
    std::memcpy(&host_, host, host->size < sizeof host_ ? host->size : sizeof host_);
    if (host_.run_dir != nullptr) run_dir_ = host_.run_dir;
    if (resume_dir != nullptr) resume_dir_ = resume_dir;
  }

private:
  static double no_epoch() { return std::numeric_limits<double>::quiet_NaN(); }

  void log(std::int64_t step, const Point *points, std::size_t count, double epoch) {
    call("log_metrics", host_.log_metrics, step, epoch, static_cast<const gradtop_point *>(points), std::uint64_t{count});
  }

  void text(std::int32_t level, std::string_view line) {
    call("log_text", host_.log_text, level, line.data(), std::uint64_t{line.size()});
  }

  template <class Function, class... Args> void call(const char *what, Function function, Args... args) const {
    if (function == nullptr) absent(what);
    const gradtop_status status = function(host_.ctx, args...);
    if (status != GRADTOP_OK) refuse(what, status);
  }

  [[noreturn]] void refuse(const char *what, gradtop_status status) const {
    if (status == GRADTOP_STOPPED) throw Stopped();
    char why[4096] = "";
    if (host_.last_error != nullptr) host_.last_error(host_.ctx, why, sizeof why);
    throw Error(std::string(what) + ": " + (*why != '\0' ? why : "gradtop answered " + std::to_string(status)), status);
  }

  [[noreturn]] static void absent(const char *what) {
    throw Error("this gradtop does not offer `" + std::string(what) + "`", GRADTOP_UNSUPPORTED);
  }

  void on_main(const char *what) const {
    if (std::this_thread::get_id() != main_)
      throw Error(std::string(what) + " belongs to the thread that run() was called on", GRADTOP_INVALID);
  }

  gradtop_host host_{};
  std::filesystem::path run_dir_;
  std::optional<std::filesystem::path> resume_dir_;
  std::thread::id main_ = std::this_thread::get_id();
};

Steps::Iterator &Steps::Iterator::operator++() {
  ++step_;
  steps_->ctx_->progress(step_, steps_->end_, steps_->phase_);
  steps_->ctx_->step_end();
  return *this;
}

namespace detail {

struct Closed {
  void operator()(std::FILE *file) const { std::fclose(file); }
};

[[noreturn]] inline void io_error(const std::filesystem::path &path) {
  throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), path.string());
}

inline std::unique_ptr<std::FILE, Closed> open(const std::filesystem::path &path, const char *mode) {
  errno = 0;
  std::unique_ptr<std::FILE, Closed> file(std::fopen(path.c_str(), mode));
  if (!file) io_error(path);
  return file;
}

inline void write(const std::filesystem::path &path, const void *data, std::size_t size) {
  auto file = open(path, "wb");
  if (std::fwrite(data, 1, size, file.get()) != size || std::fclose(file.release()) != 0) io_error(path);
}

inline void read(const std::filesystem::path &path, void *data, std::size_t size) {
  const std::uintmax_t found = std::filesystem::file_size(path);
  if (found != size)
    throw Error(path.string() + " has " + std::to_string(found) + " bytes instead of " + std::to_string(size), GRADTOP_IO);
  if (std::fread(data, 1, size, open(path, "rb").get()) != size) io_error(path);
}

} // namespace detail

/// Writes plain values (numbers, structs of numbers) into a file of a checkpoint, byte for byte; load reads them back.
/// Errors: std::system_error, with the path.
template <class T> void save(const std::filesystem::path &file, const T &value) {
  static_assert(std::is_trivially_copyable_v<T>, "save writes bytes: what holds pointers needs a format of its own");
  detail::write(file, &value, sizeof value);
}
template <class T> void save(const std::filesystem::path &file, const std::vector<T> &values) {
  static_assert(std::is_trivially_copyable_v<T>, "save writes bytes: what holds pointers needs a format of its own");
  detail::write(file, values.data(), values.size() * sizeof(T));
}

/// Reads what save wrote. A vector must have the size that it had.
/// Errors: std::system_error, and Error where the file has another size.
template <class T> void load(const std::filesystem::path &file, T &value) {
  static_assert(std::is_trivially_copyable_v<T>);
  detail::read(file, &value, sizeof value);
}
template <class T> void load(const std::filesystem::path &file, std::vector<T> &values) {
  static_assert(std::is_trivially_copyable_v<T>);
  detail::read(file, values.data(), values.size() * sizeof(T));
}

namespace detail {

/// The shortest text that gives the number again.
inline std::string text_of(double number) {
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::ostringstream out;
  for (int digits = 6;; ++digits) {
    out.str("");
    out.imbue(std::locale::classic());
    out.precision(digits);
    out << number;
    std::istringstream in(out.str());
    in.imbue(std::locale::classic());
    double back = 0;
    if (digits >= std::numeric_limits<double>::max_digits10 || (in >> back && back == number)) return out.str();
  }
}

template <class T> constexpr std::uint32_t type_of() {
  static_assert(std::is_arithmetic_v<T> || std::is_same_v<T, std::string>,
                "a parameter is a bool, a whole number, a floating-point number or a std::string");
  if constexpr (std::is_same_v<T, bool>) return GRADTOP_PARAM_BOOL;
  else if constexpr (std::is_integral_v<T>) return GRADTOP_PARAM_I64;
  else if constexpr (std::is_floating_point_v<T>) return GRADTOP_PARAM_F64;
  else return GRADTOP_PARAM_STR;
}

template <class T> std::string default_of(const T &value) {
  if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
  else if constexpr (std::is_integral_v<T>) return std::to_string(value);
  else if constexpr (std::is_floating_point_v<T>) return text_of(static_cast<double>(value));
  else return value;
}

/// A value of the parameter's type, or nothing.
template <class T> std::optional<T> parse(const std::string &text) {
  if constexpr (std::is_same_v<T, std::string>) {
    return text;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return std::nullopt;
  } else {
    if constexpr (std::is_floating_point_v<T>)
      if (text == "inf" || text == "-inf") return (text[0] == '-' ? -1 : 1) * std::numeric_limits<T>::infinity();
    // Numbers in text use the C locale, whatever the process has set.
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t> value{};
    if (!(in >> value) || in.peek() != std::istringstream::traits_type::eof()) return std::nullopt;
    if constexpr (std::is_integral_v<T>)
      if (std::int64_t{static_cast<T>(value)} != value) return std::nullopt;
    return static_cast<T>(value);
  }
}

} // namespace detail

/// A declared parameter; from Info::param. Bounds are inclusive unless they say otherwise.
class Param {
public:
  Param &min(double bound) { return min_ = bound, *this; }
  Param &max(double bound) { return max_ = bound, *this; }
  /// The least value is above, the highest below the bound.
  Param &above(double bound) { return flags_ |= GRADTOP_PARAM_MIN_EXCLUDED, min(bound); }
  Param &below(double bound) { return flags_ |= GRADTOP_PARAM_MAX_EXCLUDED, max(bound); }
  /// Shown and sampled on a log scale.
  Param &log() { return flags_ |= GRADTOP_PARAM_LOG, *this; }
  /// The only values of a std::string.
  Param &choices(std::vector<std::string> all) {
    if (type_ != GRADTOP_PARAM_STR) throw Error("parameter `" + key_ + "`: only a std::string has choices");
    type_ = GRADTOP_PARAM_CHOICE;
    return choices_ = std::move(all), *this;
  }
  Param &unit(std::string unit) { return unit_ = std::move(unit), *this; }

private:
  template <class E> friend class Info;

  Param(std::string key, std::string help, std::uint32_t type, std::string value)
      : key_(std::move(key)), help_(std::move(help)), default_(std::move(value)), type_(type) {}

  /// gradtop has checked already; whoever calls the entry may be another program.
  void check(const std::string &text, double number) const {
    bool ok = true;
    if (type_ == GRADTOP_PARAM_CHOICE) {
      ok = false;
      for (const std::string &choice : choices_) ok = ok || choice == text;
    } else if (type_ == GRADTOP_PARAM_I64 || type_ == GRADTOP_PARAM_F64) {
      ok = ((flags_ & GRADTOP_PARAM_MIN_EXCLUDED) != 0 ? number > min_ : number >= min_) &&
           ((flags_ & GRADTOP_PARAM_MAX_EXCLUDED) != 0 ? number < max_ : number <= max_);
    }
    if (!ok) refuse(text);
  }

  [[noreturn]] void refuse(const std::string &text) const {
    throw Error("parameter `" + key_ + "`: \"" + text + "\" is not one of its values", GRADTOP_INVALID);
  }

  gradtop_param raw(std::vector<const char *> &pointers) const {
    for (const std::string &choice : choices_) pointers.push_back(choice.c_str());
    return {sizeof(gradtop_param), type_, flags_, 0, key_.c_str(), help_.c_str(), unit_ ? unit_->c_str() : nullptr,
            default_.c_str(), pointers.data(), pointers.size(), min_, max_};
  }

  std::string key_, help_, default_;
  std::optional<std::string> unit_;
  std::uint32_t type_, flags_ = 0;
  std::vector<std::string> choices_;
  double min_ = -std::numeric_limits<double>::infinity(), max_ = std::numeric_limits<double>::infinity();
};

/// A declared metric; from Info::metric.
class Metric {
public:
  /// Lower, or higher, is better.
  Metric &minimize() { return goal_ = GRADTOP_GOAL_MIN, *this; }
  Metric &maximize() { return goal_ = GRADTOP_GOAL_MAX, *this; }
  /// Shown in lists of runs.
  Metric &headline() { return flag(GRADTOP_METRIC_HEADLINE); }
  /// The run fails if it is not finite in any model and trial.
  Metric &guard() { return flag(GRADTOP_METRIC_GUARD); }
  /// Drawn on a log axis.
  Metric &log() { return flag(GRADTOP_METRIC_LOG); }
  /// Depends on the clock: it may differ between runs that are otherwise equal.
  Metric &wall_clock() { return flag(GRADTOP_METRIC_WALL_CLOCK); }
  Metric &unit(std::string unit) { return unit_ = std::move(unit), *this; }

private:
  template <class E> friend class Info;

  Metric(std::string name, std::string help) : name_(std::move(name)), help_(std::move(help)) {}

  Metric &flag(std::uint32_t flag) { return flags_ |= flag, *this; }

  gradtop_metric raw() const {
    return {sizeof(gradtop_metric), goal_, flags_, 0, name_.c_str(), unit_ ? unit_->c_str() : nullptr, help_.c_str()};
  }

  std::string name_, help_;
  std::optional<std::string> unit_;
  std::uint32_t goal_ = GRADTOP_GOAL_NONE, flags_ = 0;
};

#ifndef GRADTOP_PLUGIN_VERSION
#define GRADTOP_PLUGIN_VERSION "0.1.0"
#endif

/// What an experiment says of itself. E is its type.
template <class E> class Info {
public:
  /// `id` is what users type: [a-z][a-z0-9-]*.
  Info(std::string id, std::string name, std::string summary)
      : id_(std::move(id)), name_(std::move(name)), summary_(std::move(summary)) {}

  /// A parameter, kept in a member of E, whose initial value is the default. `key` is [a-z][a-z0-9_]*.
  template <class T> Param &param(std::string key, T E::*member, std::string help) {
    params_.push_back(Param(std::move(key), std::move(help), detail::type_of<T>(), detail::default_of<T>(E().*member)));
    const std::size_t index = params_.size() - 1;
    setters_.push_back([index, member](const Info &info, E &experiment, const std::string &text) {
      const Param &param = info.params_[index];
      std::optional<T> value = detail::parse<T>(text);
      if (!value) param.refuse(text);
      double number = 0;
      if constexpr (std::is_arithmetic_v<T>) number = static_cast<double>(*value);
      param.check(text, number);
      experiment.*member = std::move(*value);
    });
    return params_.back();
  }

  Metric &metric(std::string name, std::string help = "") {
    metrics_.push_back(Metric(std::move(name), std::move(help)));
    return metrics_.back();
  }

  /// Values of some parameters, as text; `quick`, `default` and `full` are the usual names.
  Info &preset(std::string name, std::string help, std::vector<std::pair<std::string, std::string>> values) {
    presets_.push_back({std::move(name), std::move(help), std::move(values), {}, {}});
    return *this;
  }

  /// Charts, as the TOML of figures.toml.
  Info &figures(std::string toml) { return figures_ = std::move(toml), *this; }

  /// Writes checkpoints and resumes from one.
  Info &resumable() { return flags_ |= GRADTOP_DESC_RESUMABLE, *this; }

  /// Trains on Ctx::device().
  Info &uses_device() { return flags_ |= GRADTOP_DESC_USES_DEVICE, *this; }

  /// For the entry below: the descriptor, which lives as long as this and must not be asked for before it stays where it is.
  const gradtop_desc *descriptor() {
    for (const Param &param : params_) raw_params_.push_back(param.raw(choices_.emplace_back()));
    for (const Metric &metric : metrics_) raw_metrics_.push_back(metric.raw());
    for (Preset &preset : presets_) {
      for (const auto &[key, value] : preset.values) preset.pairs.push_back({key.c_str(), value.c_str()});
      preset.raw = {sizeof(gradtop_preset), 0, preset.name.c_str(), preset.help.c_str(), preset.pairs.data(),
                    preset.pairs.size()};
      preset_pointers_.push_back(&preset.raw);
    }
    for (const auto &param : raw_params_) param_pointers_.push_back(&param);
    for (const auto &metric : raw_metrics_) metric_pointers_.push_back(&metric);
    raw_ = {sizeof(gradtop_desc), flags_, id_.c_str(), name_.c_str(), GRADTOP_PLUGIN_VERSION, summary_.c_str(),
            param_pointers_.data(), param_pointers_.size(), preset_pointers_.data(), preset_pointers_.size(),
            metric_pointers_.data(), metric_pointers_.size(), figures_ ? figures_->c_str() : nullptr};
    return &raw_;
  }

  /// For the entry below: sets what the text says.
  void set(E &experiment, const gradtop_kv *values, std::uint64_t count) const {
    for (std::uint64_t i = 0; i < count; ++i)
      for (std::size_t p = 0; p < params_.size(); ++p)
        if (params_[p].key_ == values[i].key) setters_[p](*this, experiment, values[i].value);
  }

private:
  struct Preset {
    std::string name, help;
    std::vector<std::pair<std::string, std::string>> values;
    std::vector<gradtop_kv> pairs;
    gradtop_preset raw;
  };

  std::string id_, name_, summary_;
  std::optional<std::string> figures_;
  std::uint32_t flags_ = 0;
  std::deque<Param> params_; // references to elements are handed out
  std::deque<Metric> metrics_;
  std::deque<Preset> presets_;
  std::vector<std::function<void(const Info &, E &, const std::string &)>> setters_;
  gradtop_desc raw_{};
  std::deque<std::vector<const char *>> choices_;
  std::deque<gradtop_param> raw_params_;
  std::deque<gradtop_metric> raw_metrics_;
  std::vector<const gradtop_param *> param_pointers_;
  std::vector<const gradtop_preset *> preset_pointers_;
  std::vector<const gradtop_metric *> metric_pointers_;
};

/// From here on: the entry that GRADTOP_EXPORT makes.
namespace detail {

inline void write_error(gradtop_error *error, std::string_view text) {
  if (error == nullptr) return;
  std::size_t length = text.size() < sizeof error->msg ? text.size() : sizeof error->msg;
  // Cut between two letters of UTF-8.
  while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
  std::memcpy(error->msg, text.data(), length);
  error->len = static_cast<std::uint32_t>(length);
  error->code = 0;
}

/// The first line becomes the message, the rest a line of the log.
inline gradtop_status report(gradtop_status status, std::string_view text, Ctx *ctx, gradtop_error *error) noexcept {
  const std::size_t line = text.find('\n');
  write_error(error, text.substr(0, line));
  if (ctx != nullptr && line != std::string_view::npos) {
    try {
      ctx->debug(text.substr(line + 1));
    } catch (...) { // the message is there without it
    }
  }
  return status;
}

/// Runs a function that gradtop called: no exception gets out.
template <class Function> gradtop_status guarded(Ctx *ctx, gradtop_error *error, Function function) noexcept {
  try {
    function();
    return GRADTOP_OK;
  } catch (const Stopped &) {
    return report(GRADTOP_STOPPED, "a stop was asked for", nullptr, error);
  } catch (const Error &e) {
    return report(e.status(), e.what(), ctx, error);
  } catch (const std::bad_alloc &) {
    return report(GRADTOP_FAILED, "out of memory", ctx, error);
  } catch (const std::system_error &e) {
    return report(GRADTOP_IO, e.what(), ctx, error);
  } catch (const std::exception &e) {
    return report(GRADTOP_FAILED, e.what(), ctx, error);
  } catch (...) {
    return report(GRADTOP_FAILED, "an exception that is not a std::exception left the experiment", ctx, error);
  }
}

template <class E, class = void> struct Validates : std::false_type {};
template <class E> struct Validates<E, std::void_t<decltype(std::declval<E &>().validate())>> : std::true_type {};

/// A run, behind the pointer that gradtop holds.
struct Run {
  Run(const gradtop_host *host, const char *resume_dir) : ctx(host, resume_dir) {}
  virtual ~Run() = default;
  virtual void train() = 0;
  Ctx ctx;
};

/// An experiment whose type is forgotten.
struct Exported {
  virtual ~Exported() = default;
  virtual const gradtop_desc *descriptor() = 0;
  virtual std::unique_ptr<Run> create(const gradtop_host *, const gradtop_kv *, std::uint64_t, const char *) = 0;
  virtual void validate(const gradtop_kv *, std::uint64_t) = 0;
};

template <class E> struct ExportedAs final : Exported {
  struct RunOf final : Run {
    using Run::Run;
    void train() override { experiment.run(ctx); }
    E experiment{};
  };

  const gradtop_desc *descriptor() override { return desc; }

  std::unique_ptr<Run> create(const gradtop_host *host, const gradtop_kv *values, std::uint64_t count,
                              const char *resume_dir) override {
    auto run = std::make_unique<RunOf>(host, resume_dir);
    info.set(run->experiment, values, count);
    return run;
  }

  void validate(const gradtop_kv *values, std::uint64_t count) override {
    E experiment{};
    info.set(experiment, values, count);
    if constexpr (Validates<E>::value) experiment.validate();
  }

  Info<E> info = E::info();
  const gradtop_desc *desc = info.descriptor();
};

template <class... E> struct Library {
  /// Made at the first call and never destroyed: descriptors are immortal. Empty if an info() threw.
  static const std::vector<std::unique_ptr<Exported>> &all() {
    static const auto *all = [] {
      auto *made = new std::vector<std::unique_ptr<Exported>>();
      gradtop_error error{};
      const gradtop_status status = guarded(nullptr, &error, [&] { (made->push_back(std::make_unique<ExportedAs<E>>()), ...); });
      if (status != GRADTOP_OK) {
        std::fprintf(stderr, "gradtop plugin: info() failed: %.*s\n", static_cast<int>(error.len), error.msg);
        made->clear();
      }
      return made;
    }();
    return *all;
  }

  static Exported &at(std::uint32_t index) {
    if (index >= all().size()) throw Error("there is no experiment number " + std::to_string(index), GRADTOP_INVALID);
    return *all()[index];
  }

  static std::uint32_t count() noexcept { return sizeof...(E); }

  static const gradtop_desc *desc(std::uint32_t index) noexcept {
    const gradtop_desc *found = nullptr;
    guarded(nullptr, nullptr, [&] { found = at(index).descriptor(); });
    return found;
  }

  static gradtop_status create(std::uint32_t index, const gradtop_host *host, const gradtop_kv *values, std::uint64_t n,
                               const char *resume_dir, gradtop_run **out, gradtop_error *error) noexcept {
    if (out == nullptr) return GRADTOP_INVALID;
    *out = nullptr;
    return guarded(nullptr, error, [&] {
      *out = reinterpret_cast<gradtop_run *>(at(index).create(host, values, n, resume_dir).release());
    });
  }

  static gradtop_status run(gradtop_run *run, gradtop_error *error) noexcept {
    Run &own = *reinterpret_cast<Run *>(run);
    return guarded(&own.ctx, error, [&] { own.train(); });
  }

  static void destroy(gradtop_run *run) noexcept {
    guarded(nullptr, nullptr, [&] { delete reinterpret_cast<Run *>(run); });
  }

  static gradtop_status validate(std::uint32_t index, const gradtop_kv *values, std::uint64_t n,
                                 gradtop_error *error) noexcept {
    return guarded(nullptr, error, [&] { at(index).validate(values, n); });
  }

  static const void *extension(const char *id) noexcept {
    static const gradtop_validate judge = {sizeof judge, 0, validate};
    const bool known = (Validates<E>::value || ...) && id != nullptr && std::strcmp(id, GRADTOP_EXT_VALIDATE) == 0;
    return known ? &judge : nullptr;
  }

  static const gradtop_entry *entry() noexcept {
    static const gradtop_entry entry = {GRADTOP_MAGIC, sizeof entry, GRADTOP_ABI_MAJOR, GRADTOP_ABI_MINOR, built_with(),
                                        count, desc, create, run, destroy, extension};
    return &entry;
  }

  static const char *built_with() noexcept {
#if defined(__clang__)
#define GRADTOP_COMPILER "clang " __clang_version__
#else
#define GRADTOP_COMPILER "g++ " __VERSION__
#endif
#ifdef TORCH_VERSION
    return "gradtop.hpp, " GRADTOP_COMPILER ", libtorch " TORCH_VERSION;
#else
    return "gradtop.hpp, " GRADTOP_COMPILER;
#endif
#undef GRADTOP_COMPILER
  }
};

} // namespace detail
} // namespace gradtop

/// Exports experiments: once in a library, at file scope. It takes the place of gradtop.h's attribute of this name.
#undef GRADTOP_EXPORT
#define GRADTOP_EXPORT(...)                                                                                            \
  extern "C" __attribute__((visibility("default"))) const gradtop_entry *gradtop_entry_v1(void) {                      \
    return ::gradtop::detail::Library<__VA_ARGS__>::entry();                                                           \
  }                                                                                                                    \
  static_assert(true, "a semicolon follows")
#endif
