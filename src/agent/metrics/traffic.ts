import type { Family, Sample } from '../../lib/exposition.ts'
import type { AccessLine } from './access-line.ts'

/** Names that clients choose become labels, so there is a limit to them; what comes later is counted as `other`. */
export const TRAFFIC_LIMITS = { datasets: 1000 } as const

type Kind = 'web' | 'data' | 'metadata'

interface Total {
  requests: number
  bytes: number
  seconds: number
  timed: number
}

/** Adds up what was asked of an ERDDAP, by kind, dataset and class of status. */
export class Traffic {
  readonly #datasetOf: (target: string) => string | undefined
  readonly #totals = new Map<string, Total>()
  readonly #datasets = new Set<string>()
  #unread = 0

  /** `datasetOf`: what a path with its query asks for. */
  constructor(datasetOf: (target: string) => string | undefined) {
    this.#datasetOf = datasetOf
  }

  take({ target, status, bytes, seconds }: AccessLine): void {
    const key = JSON.stringify([kindOf(target), this.#dataset(target, status), `${Math.floor(status / 100)}xx`])
    const total = this.#totals.get(key) ?? { requests: 0, bytes: 0, seconds: 0, timed: 0 }
    total.requests += 1
    total.bytes += bytes
    if (seconds !== undefined) {
      total.seconds += seconds
      total.timed += 1
    }
    this.#totals.set(key, total)
  }

  /** A line that is no request in a form we know. */
  passOver(): void {
    this.#unread += 1
  }

  families(): readonly Family[] {
    const rows = [...this.#totals].map(([key, total]) => {
      const [kind = '', dataset = '', status = ''] = JSON.parse(key) as string[]
      return { labels: { kind, dataset, status }, total }
    })
    const samples = (of: (total: Total) => number): Sample[] =>
      rows.map(({ labels, total }) => ({ labels, value: of(total) }))
    const timed = rows.filter(({ total }) => total.timed > 0)
    return [
      family(
        'requests_total',
        'Requests in the access log.',
        samples(({ requests }) => requests),
      ),
      family(
        'response_bytes_total',
        'Bytes of their answers.',
        samples(({ bytes }) => bytes),
      ),
      family(
        'request_seconds_total',
        'Time they took, where the log says it.',
        timed.map(({ labels, total }) => ({ labels, value: total.seconds })),
      ),
      family('unread_lines_total', 'Lines of the access log that were of no known form.', [{ value: this.#unread }]),
    ]
  }

  /** An id that nobody could be served is whatever somebody typed. */
  #dataset(target: string, status: number): string {
    const dataset = this.#datasetOf(target)
    if (dataset === undefined) return ''
    if (this.#datasets.has(dataset)) return dataset
    if (status >= 400 || this.#datasets.size >= TRAFFIC_LIMITS.datasets) return 'other'
    this.#datasets.add(dataset)
    return dataset
  }
}

function family(name: string, help: string, samples: readonly Sample[]): Family {
  return { name: `flotilla_access_${name}`, type: 'counter', help, samples }
}

const DATA = /\/(?:griddap|tabledap)\/[^/?]+\.([A-Za-z0-9]+)|\/(?:files|wms|wcs|sos)\//
const ABOUT = new Set([
  'das',
  'dds',
  'dods_header',
  'fgdc',
  'iso19115',
  'iso19139',
  'ncHeader',
  'nccsvMetadata',
  'ncml',
  'info',
])
const PAGES = new Set(['html', 'graph', 'help', 'subset', 'htmlTable'])
const METADATA = /\/(?:info|metadata|rss)\//

/** As ERDDAPUtil divides them: data, what describes it, and pages for people. */
function kindOf(target: string): Kind {
  const path = target.split('?', 1)[0] ?? ''
  if (METADATA.test(path)) return 'metadata'
  const data = DATA.exec(path)
  if (data === null) return 'web'
  const [, ending] = data
  if (ending === undefined) return 'data'
  return ABOUT.has(ending) ? 'metadata' : PAGES.has(ending) && ending !== 'htmlTable' ? 'web' : 'data'
}
