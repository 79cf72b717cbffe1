/* gradtop plugin ABI, major 1. C99 and C++11, 64-bit little-endian only.
 * R1 structs are append-only.  R2 a struct whose first field is `size` may grow; a field at or past the peer's size does not exist.
 *    Structs passed as arrays by value (gradtop_point, gradtop_kv) and gradtop_error have no size: they are frozen for major 1.
 * R3 no ownership crosses: pointers are borrowed until the call returns; the host struct given to create, and what it leads to, until
 *    destroy returns; the entry and descriptors are immortal. Data is aligned to its element.
 * R4 nothing unwinds across: a C++ plugin catches its own exceptions, the SDK catches panics.
 * R5 fixed-width types only.  R6 never unloaded.  Strings are UTF-8; numbers in text use the C locale.
 * [main] the one thread on which create, run and destroy are called; [any] any thread, also several at once.
 * The host holds no lock while it calls the plugin. Unbounded ranges are -INFINITY and INFINITY. */
#ifndef GRADTOP_H
#define GRADTOP_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#if UINTPTR_MAX != 0xffffffffffffffffu
#error "gradtop plugins are 64-bit"
#endif
#define GRADTOP_EXPORT __attribute__((visibility("default")))
#define GRADTOP_MAGIC 0x50545247u
#define GRADTOP_ABI_MAJOR 1u
#define GRADTOP_ABI_MINOR 0u
typedef int32_t gradtop_status;
#define GRADTOP_OK 0
#define GRADTOP_STOPPED 1
#define GRADTOP_FAILED (-1)
#define GRADTOP_PANIC (-2)
#define GRADTOP_INVALID (-3)
#define GRADTOP_UNSUPPORTED (-4)
#define GRADTOP_IO (-5)
#define GRADTOP_PARAM_I64 1u          /* gradtop_param.type */
#define GRADTOP_PARAM_F64 2u
#define GRADTOP_PARAM_BOOL 3u
#define GRADTOP_PARAM_STR 4u
#define GRADTOP_PARAM_CHOICE 5u
#define GRADTOP_PARAM_LOG 1u          /* gradtop_param.flags */
#define GRADTOP_PARAM_MIN_EXCLUDED 2u
#define GRADTOP_PARAM_MAX_EXCLUDED 4u
#define GRADTOP_GOAL_NONE 0u          /* gradtop_metric.goal */
#define GRADTOP_GOAL_MIN 1u
#define GRADTOP_GOAL_MAX 2u
#define GRADTOP_METRIC_HEADLINE 1u    /* gradtop_metric.flags */
#define GRADTOP_METRIC_GUARD 2u
#define GRADTOP_METRIC_LOG 4u
#define GRADTOP_METRIC_WALL_CLOCK 8u
#define GRADTOP_DESC_RESUMABLE 1u     /* gradtop_desc.flags */
#define GRADTOP_DESC_USES_DEVICE 2u
#define GRADTOP_COLUMN_I64 1u         /* gradtop_column.type */
#define GRADTOP_COLUMN_F64 2u
#define GRADTOP_COLUMN_UTF8 3u
#define GRADTOP_COLUMN_BYTES 4u
#define GRADTOP_LOG_ERROR 1           /* level of log_text */
#define GRADTOP_LOG_WARNING 2
#define GRADTOP_LOG_INFO 3
#define GRADTOP_LOG_DEBUG 4
typedef struct { uint32_t code, len; char msg[1016]; } gradtop_error;
typedef struct { const char *key, *value; } gradtop_kv;
typedef struct { uint32_t size, type, flags, reserved;   /* numbers as text; a choice lists its choices */
  const char *key, *help, *unit, *default_value;
  const char *const *choices; uint64_t n_choices; double min, max; } gradtop_param;
typedef struct { uint32_t size, reserved; const char *name, *help; const gradtop_kv *values; uint64_t n_values; } gradtop_preset;
typedef struct { uint32_t size, goal, flags, reserved;   /* headline: shown in lists; guard: the run fails if it is non-finite everywhere */
  const char *name, *unit, *help; } gradtop_metric;      /* wall clock: may differ between runs that are otherwise equal */
typedef struct { uint32_t size, flags;                   /* resumable: writes checkpoints and goes on from one */
  const char *id, *name, *version, *summary;
  const gradtop_param *const *params; uint64_t n_params;
  const gradtop_preset *const *presets; uint64_t n_presets;
  const gradtop_metric *const *metrics; uint64_t n_metrics;
  const char *figures; } gradtop_desc;                   /* TOML, as in figures.toml; may be NULL */
typedef struct { uint32_t size; int32_t trial;           /* trial -1: none; model and split may be NULL */
  const char *metric, *model, *split; } gradtop_series;
typedef struct { uint32_t series, reserved; double value; } gradtop_point;
typedef struct { uint32_t size, type;                    /* utf8 has rows + 1 offsets; bytes are width a row, row-major */
  const char *name, *unit; const void *data; const uint64_t *offsets; uint64_t width; } gradtop_column;
typedef struct gradtop_host { uint32_t size, abi_minor; void *ctx;
  const char *run_dir; uint64_t seed; int32_t device, threads; /* device -1: cpu, n: cuda:n */
  gradtop_status (*series)(void *ctx, const gradtop_series *s, uint32_t *out);                                   /* [any] intern once */
  gradtop_status (*log_metrics)(void *ctx, int64_t step, double epoch, const gradtop_point *p, uint64_t n);      /* [any] epoch NaN: none */
  gradtop_status (*log_table)(void *ctx, const char *table, int64_t step, const gradtop_column *const *c, uint64_t n_columns, uint64_t n_rows); /* [any] copied */
  gradtop_status (*declare_figures)(void *ctx, const char *toml);                                                 /* [any] */
  gradtop_status (*log_text)(void *ctx, int32_t level, const char *utf8, uint64_t len);                          /* [any] */
  gradtop_status (*progress)(void *ctx, uint64_t done, uint64_t total, const char *phase);                        /* [any] total 0 = unknown */
  int32_t (*should_stop)(void *ctx);                                                                              /* [any] one atomic load, never blocks */
  gradtop_status (*step_end)(void *ctx);          /* [main] between steps: blocks while paused, STOPPED when a stop is asked */
  int32_t (*should_checkpoint)(void *ctx);                                                                        /* [any] asked for, or due */
  gradtop_status (*checkpoint)(void *ctx, int64_t step,
      gradtop_status (*save)(void *user, const char *dir), void *user); /* [main] dir: fresh, empty; save may log, may not call checkpoint;
         OK also where the disk takes none (it is full, or save returned IO): a warning, and due again with the next */
  uint64_t (*last_error)(void *ctx, char *out, uint64_t cap);            /* [any] why this thread's last call was refused */
  const void *(*extension)(void *ctx, const char *id);
} gradtop_host;
typedef struct gradtop_run gradtop_run;
typedef struct { uint32_t magic, size, abi_major, abi_minor;
  const char *built_with;
  uint32_t (*count)(void);
  const gradtop_desc *(*desc)(uint32_t index);
  gradtop_status (*create)(uint32_t index, const gradtop_host *host, const gradtop_kv *params, uint64_t n,
                           const char *resume_dir, gradtop_run **out, gradtop_error *err);
  gradtop_status (*run)(gradtop_run *run, gradtop_error *err);
  void (*destroy)(gradtop_run *run);
  const void *(*extension)(const char *id);
} gradtop_entry;
#define GRADTOP_EXT_VALIDATE "gradtop.validate/1"  /* of a plugin: parameters judged before there is a run */
typedef struct { uint32_t size, reserved;
  gradtop_status (*validate)(uint32_t index, const gradtop_kv *params, uint64_t n, gradtop_error *err); /* [main] OK, or why not */
} gradtop_validate;
GRADTOP_EXPORT const gradtop_entry *gradtop_entry_v1(void);
#ifdef __cplusplus
}
#endif
#endif
