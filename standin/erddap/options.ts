import { parseArgs } from 'node:util'

/** How the stand-in misbehaves on purpose. `none` behaves like ERDDAP. */
const MISBEHAVIOURS = ['none', 'hang', 'slow', 'stale', 'lie'] as const

/**
 * - `hang`: takes connections and never answers.
 * - `slow`: answers every request `slowMs` late.
 * - `stale`: takes flags and says that it loads, but changes nothing of what it serves.
 * - `lie`: `allDatasets` lists what datasets.xml says, loaded or not; the pages of a dataset still tell the truth.
 */
export type Misbehaviour = (typeof MISBEHAVIOURS)[number]

export interface ErddapOptions {
  /** Folder of `datasets.xml`. */
  readonly contentDir: string
  /** Folder of flags, index, log and `currentDatasets.xml`; made when it is missing. */
  readonly bigParentDir: string
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string
  /** How often the flag folders are looked at; 5,000 in the real one. */
  readonly pollMs: number
  /** How long one dataset takes to load. */
  readonly loadMs: number
  /** Time between major loads; `<loadDatasetsMinMinutes>` of datasets.xml overrides it. */
  readonly majorMinutes: number
  /** Such as `2.18` or `2.31`. */
  readonly version: string
  readonly flagKeyKey: string
  /** How long a wrong flag key is punished; 5,000 in the real one. */
  readonly wrongKeyMs: number
  /** Delay of every HTTP answer. */
  readonly httpMs: number
  /** Delay of every HTTP answer while `slow`. */
  readonly slowMs: number
  /** Datasets load whether their data files exist or not. */
  readonly assumeFiles: boolean
  readonly misbehave: Misbehaviour
}

export const DEFAULTS = {
  listen: '127.0.0.1:0',
  pollMs: 5000,
  loadMs: 2,
  majorMinutes: 15,
  version: '2.31',
  flagKeyKey: 'CHANGE THIS TO YOUR FAVORITE QUOTE',
  wrongKeyMs: 5000,
  httpMs: 0,
  slowMs: 10_000,
  assumeFiles: false,
  misbehave: 'none',
} as const satisfies Partial<ErddapOptions>

export const USAGE = `An ERDDAP stand-in, for tests and the quickstart.
  --content-dir DIR       folder of datasets.xml
  --big-parent-dir DIR    folder of flags, index and log
  --listen HOST:PORT      default 127.0.0.1:0, a free port
  --poll-ms N             how often the flag folders are looked at (5000)
  --load-ms N             how long a dataset takes to load (2)
  --major-minutes N       between major loads (15)
  --erddap-version V      2.18, 2.31, … (2.31)
  --flag-key-key TEXT     the secret of flag URLs
  --http-ms N             delay of every answer (0)
  --assume-files          load datasets without looking for their data files
  --misbehave HOW         ${MISBEHAVIOURS.join(' | ')}
`

/** Options of the command line. Throws with a sentence when they are not valid. */
export function parseOptions(args: readonly string[]): ErddapOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'content-dir': { type: 'string' },
      'big-parent-dir': { type: 'string' },
      listen: { type: 'string', default: DEFAULTS.listen },
      'poll-ms': { type: 'string', default: String(DEFAULTS.pollMs) },
      'load-ms': { type: 'string', default: String(DEFAULTS.loadMs) },
      'major-minutes': { type: 'string', default: String(DEFAULTS.majorMinutes) },
      'erddap-version': { type: 'string', default: DEFAULTS.version },
      'flag-key-key': { type: 'string', default: DEFAULTS.flagKeyKey },
      'http-ms': { type: 'string', default: String(DEFAULTS.httpMs) },
      'assume-files': { type: 'boolean', default: DEFAULTS.assumeFiles },
      misbehave: { type: 'string', default: DEFAULTS.misbehave },
    },
  })
  return {
    ...DEFAULTS,
    contentDir: required('--content-dir', values['content-dir']),
    bigParentDir: required('--big-parent-dir', values['big-parent-dir']),
    listen: values.listen,
    pollMs: amount('--poll-ms', values['poll-ms']),
    loadMs: amount('--load-ms', values['load-ms']),
    majorMinutes: amount('--major-minutes', values['major-minutes']),
    version: values['erddap-version'],
    flagKeyKey: values['flag-key-key'],
    httpMs: amount('--http-ms', values['http-ms']),
    assumeFiles: values['assume-files'],
    misbehave: misbehaviour(values.misbehave),
  }
}

function required(name: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new Error(`${name} is missing`)
  return value
}

function amount(name: string, value: string): number {
  const number = Number(value)
  if (value.trim() === '' || !(number >= 0)) throw new Error(`${name} must be a number, not ${JSON.stringify(value)}`)
  return number
}

function misbehaviour(value: string): Misbehaviour {
  const known = MISBEHAVIOURS.find((name) => name === value)
  if (known === undefined) throw new Error(`--misbehave must be one of ${MISBEHAVIOURS.join(', ')}`)
  return known
}
