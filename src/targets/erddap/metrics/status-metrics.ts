import type { Family } from '../../../lib/exposition.ts'

interface Reading {
  readonly name: string
  readonly help: string
  readonly pattern: RegExp
  readonly labels?: Readonly<Record<string, string>>
}

const gauge = (name: string, help: string, pattern: RegExp, labels?: Reading['labels']): Reading => ({
  name: `erddap_${name}`,
  help,
  pattern,
  ...(labels && { labels }),
})

const DATASETS = 'Datasets that are loaded.'
const ANSWERS = 'Answers since the last major load of datasets.'

/** What status.html says in numbers, in versions 2.18 to 2.31 (EDStatic.addIntroStatistics); what is not found is left out. */
const READINGS: readonly Reading[] = [
  gauge('datasets', DATASETS, /^nGridDatasets +=\s*(\d+)/m, { type: 'grid' }),
  gauge('datasets', DATASETS, /^nTableDatasets +=\s*(\d+)/m, { type: 'table' }),
  gauge(
    'datasets_failed',
    'Datasets that the last load could not load.',
    /^n Datasets Failed To Load \(in the last m\w+ LoadDatasets\) =\s*(\d+)/m,
  ),
  gauge(
    'last_major_load_seconds',
    'How long the last major load took.',
    /^Last major LoadDatasets started .* finished after (\d+) seconds/m,
  ),
  gauge('unique_users', 'Users since ERDDAP started.', /^Unique users \(since startup\) +n =\s*(\d+)/m),
  gauge('responses', ANSWERS, /^Response Failed +Time \(since last major LoadDatasets\) n =\s*(\d+)/m, {
    result: 'failed',
  }),
  gauge('responses', ANSWERS, /^Response Succeeded +Time \(since last major LoadDatasets\) n =\s*(\d+)/m, {
    result: 'succeeded',
  }),
  gauge('memory_in_use_mb', 'Memory that ERDDAP uses.', /(?:MemoryInUse|memory in use)\s*[:=]\s*(\d+) ?MB/i),
]

export function statusMetrics(pre: string): readonly Family[] {
  const families = new Map<string, { help: string; samples: Family['samples'][number][] }>()
  for (const { name, help, pattern, labels } of READINGS) {
    const value = pattern.exec(pre)?.[1]
    if (value === undefined) continue
    const family = families.get(name) ?? { help, samples: [] }
    family.samples.push({ value: Number(value), ...(labels && { labels }) })
    families.set(name, family)
  }
  return [...families].map(([name, { help, samples }]) => ({ name, type: 'gauge', help, samples }))
}

/** Of ERDDAP's own page, since 2.25: without what has a line for each dataset, status and language. */
const KEPT =
  /^(?:# (?:HELP|TYPE|UNIT) )?(?:dataset_count|dataset_failed_load_count|load_datasets_duration_seconds|ERDDAP_build_info|jvm_memory_used_bytes|jvm_threads_current|process_cpu_seconds_total|process_open_fds)(?:_\w+)?[ {]/
const LINES_MAX = 500

export function keptMetrics(page: string): string {
  const lines = page.split('\n').filter((line) => KEPT.test(line))
  return lines.length === 0 ? '' : `${lines.slice(0, LINES_MAX).join('\n')}\n`
}
