-- best: the best run of each experiment (and goal and unit, if its runs declare several), in the split that most of its runs have; a training value never beats a test value
WITH known AS (SELECT *, count(*) OVER (PARTITION BY exp, headline, split) AS sharing FROM runs WHERE isfinite(value))
SELECT exp, run, headline AS metric, split, model, trials, value, unit, goal, state
FROM known WHERE goal IN ('min', 'max')
QUALIFY row_number() OVER (PARTITION BY exp, headline, goal, unit ORDER BY split_rank, sharing DESC, split, if(goal = 'min', value, -value)) = 1
ORDER BY exp, metric, unit;

-- ranking: every run with a value, the best first; values of different splits or units are never compared
WITH known AS (SELECT *, count(*) OVER (PARTITION BY exp, headline, split) AS sharing FROM runs WHERE isfinite(value))
SELECT exp, rank() OVER (PARTITION BY exp, headline, goal, split, unit ORDER BY if(goal = 'max', -value, value)) AS place,
       run, headline AS metric, split, model, trials, value, unit, state
FROM known ORDER BY exp, metric, goal, split_rank, sharing DESC, split, unit, place, run;

-- settings: for each setting that differs within an experiment, how its runs did, those of each unit by themselves
WITH differing AS (SELECT exp, key FROM params GROUP BY exp, key HAVING count(DISTINCT value) > 1)
SELECT p.exp, p.key, p.value AS setting, r.headline AS metric, r.split, r.model, count(*) FILTER (isfinite(r.value)) AS runs,
       count(*) FILTER (NOT isfinite(r.value)) AS non_finite, average(r.value, r.logarithmic) AS mean,
       is_geometric(r.value, r.logarithmic) AS geometric,
       min(r.value) FILTER (isfinite(r.value)) AS lowest, max(r.value) FILTER (isfinite(r.value)) AS highest, r.unit
FROM params p SEMI JOIN differing d ON d.exp = p.exp AND d.key = p.key
JOIN runs r ON r.exp = p.exp AND r.run = p.run WHERE r.value IS NOT NULL
GROUP BY ALL ORDER BY p.exp, p.key, mean NULLS LAST;

-- series: rows, steps, first, last, lowest and highest value of each series of each run
SELECT exp, run, metric, model, split, trial, count(*) AS rows, arg_max(step, time) AS last_step, arg_min(value, time) AS first,
       arg_max(value, time) AS last, min(value) FILTER (isfinite(value)) AS lowest,
       max(value) FILTER (isfinite(value)) AS highest
FROM metrics WHERE NOT starts_with(metric, 'system/') GROUP BY ALL
ORDER BY exp, run, metric, model, split, trial;

-- curve: of each run the metric, split and model of view runs, in 50 stretches of its steps; --plot step,value,run draws it
WITH of AS (SELECT exp || '/' || run AS run, m.metric, m.split, m.model, m.step, m.value, r.logarithmic,
                   min(m.step) OVER each_run AS first, max(m.step) OVER each_run AS last
            FROM metrics m JOIN runs r USING (exp, run)
            WHERE r.headline = m.metric AND r.split IS NOT DISTINCT FROM m.split AND r.model IS NOT DISTINCT FROM m.model
            WINDOW each_run AS (PARTITION BY exp, run))
SELECT run, metric, split, model, max(step) AS step,
       coalesce(average(value, logarithmic), arg_min(value, step)) AS value
FROM of GROUP BY run, metric, split, model, least(49, 50 * (step::HUGEINT - first) // greatest(1, last::HUGEINT - first))
ORDER BY run, max(step);

-- nonfinite: where each series first became NaN or infinite
SELECT exp, run, metric, model, split, trial, arg_min(step, time) AS first_step, count(*) AS rows
FROM metrics WHERE NOT isfinite(value) GROUP BY ALL ORDER BY exp, run, metric, model, split, trial;

-- failures: runs that failed or crashed, and why
SELECT exp, run, state, cause FROM runs WHERE state IN ('failed', 'crashed') ORDER BY exp, run;

-- events: what happened last, the newest first
SELECT time, exp, run, event, what, step FROM events WHERE event <> 'log' ORDER BY time DESC LIMIT 40;

-- speed: logged steps a second of each run, from its first to its last row; NULL where the log tells no times
SELECT m.exp, m.run, max(step) - min(step) AS steps,
       if(r.started IS NULL, NULL, (epoch_us(max(time)) - epoch_us(min(time))) / 1e6) AS seconds,
       steps / nullif(seconds, 0) AS steps_per_s
FROM metrics m JOIN (SELECT exp, run, started FROM runs) r ON r.exp = m.exp AND r.run = m.run WHERE NOT starts_with(metric, 'system/')
GROUP BY m.exp, m.run, r.started ORDER BY m.exp, m.run;

-- tags: how many runs have each tag, and their experiments
SELECT tag, count(*) AS n, string_agg(DISTINCT exp, ', ' ORDER BY exp) AS experiments
FROM (SELECT exp, unnest(tags) AS tag FROM runs) GROUP BY tag ORDER BY tag;
