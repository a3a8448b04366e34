import type * as prom from 'prom-client'
import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'

/** Whoever may push decides what stands on the page, so everything of it has a limit. */
const PUSH_LIMITS = { atOnce: 1000, metrics: 500, series: 5000, labels: 10, valueChars: 200 } as const

const zName = z.string().regex(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$/, 'is no name of a metric')
/** `le` and `quantile` are labels that histograms and summaries write themselves. */
const zLabel = z.string().regex(/^(?!__|(?:le|quantile)$)[a-zA-Z_][a-zA-Z0-9_]{0,63}$/, 'is no name of a label')
const zText = z.union([z.string(), z.number(), z.boolean()]).transform((value) => String(value))
const zLabelValue = zText.pipe(z.string().max(PUSH_LIMITS.valueChars))

const METHODS = {
  counter: ['inc'],
  gauge: ['inc', 'dec', 'set'],
  summary: ['observe'],
  histogram: ['observe'],
} as const
type Kind = keyof typeof METHODS

/** As its `ScriptMetrics` send them. `info` and `enum` it offers and never uses; a label says the same. */
const zPush = z
  .object({
    metric_type: z
      .string()
      .toLowerCase()
      .pipe(z.enum(Object.keys(METHODS) as [Kind, ...Kind[]])),
    metric_name: z.string().toLowerCase().pipe(zName),
    labels: z.record(zLabel, zLabelValue).nullish(),
    description: z.string().max(1000).nullish(),
    method: z.string(),
    arguments: z.object({ amount: z.number().optional(), value: z.number().optional() }).nullish(),
  })
  .refine(({ metric_type, method }) => (METHODS[metric_type] as readonly string[]).includes(method), {
    error: 'that type of metric has no such method',
  })
  .refine(({ labels }) => Object.keys(labels ?? {}).length <= PUSH_LIMITS.labels, { error: 'has too many labels' })

type Push = z.output<typeof zPush>

/** One metric by itself, or many. */
export const zPushBody = z.union([
  z.object({ metrics: z.array(zPush).max(PUSH_LIMITS.atOnce) }).transform(({ metrics }) => metrics),
  zPush.transform((one) => [one]),
])

type Held =
  | { readonly kind: 'counter'; readonly metric: prom.Counter; readonly labels: string }
  | { readonly kind: 'gauge'; readonly metric: prom.Gauge; readonly labels: string }
  | { readonly kind: 'summary'; readonly metric: prom.Summary; readonly labels: string }
  | { readonly kind: 'histogram'; readonly metric: prom.Histogram; readonly labels: string }

interface Common {
  readonly name: string
  readonly help: string
  readonly labelNames: string[]
  readonly registers: prom.Registry[]
}

/** Our own stand on the same page. */
const OURS = /^(?:flotilla|process|nodejs)_/

/** Metrics that programs without a page of their own have sent here, in a registry of their own. Lost with the process. */
export class PushedMetrics {
  readonly #prom: typeof prom
  readonly #registry: prom.Registry
  readonly #held = new Map<string, Held>()
  readonly #series = new Set<string>()

  static async create(): Promise<PushedMetrics> {
    return new PushedMetrics(await import('prom-client'))
  }

  constructor(library: typeof prom) {
    this.#prom = library
    this.#registry = new library.Registry()
  }

  /** All or nothing: a sender that is refused sends the whole again. Throws `BAD_REQUEST` and `TOO_LARGE`. */
  take(pushes: readonly Push[]): void {
    this.#check(pushes)
    for (const push of pushes) this.#apply(push)
  }

  async page(): Promise<string> {
    return this.#registry.metrics()
  }

  #check(pushes: readonly Push[]): void {
    const kinds = new Map<string, string>()
    const lines = new Map(
      [...this.#held].flatMap(([name, { kind }]) => linesOf(name, kind).map((line) => [line, name])),
    )
    const series = new Set(this.#series)
    for (const push of pushes) {
      const { metric_name: name, metric_type: kind, method, arguments: given } = push
      const held = this.#held.get(name)
      const form = kinds.get(name) ?? (held && `${held.kind} ${held.labels}`)
      const own = `${kind} ${labelsOf(push).join()}`
      const other = linesOf(name, kind).find((line) => (lines.get(line) ?? name) !== name)
      if (other !== undefined) {
        throw new FlotillaError('BAD_REQUEST', `${name}: ${other} is of the metric ${lines.get(other)} already`)
      }
      for (const line of linesOf(name, kind)) lines.set(line, name)
      if (OURS.test(name)) throw new FlotillaError('BAD_REQUEST', `${name}: names of that beginning are Flotilla's`)
      if (form !== undefined && form !== own) {
        throw new FlotillaError('BAD_REQUEST', `${name} was pushed before with another type or other labels`)
      }
      if (kind === 'counter' && amountOf(push) < 0)
        throw new FlotillaError('BAD_REQUEST', `${name}: a counter only grows`)
      if (method !== 'inc' && method !== 'dec' && given?.amount === undefined && given?.value === undefined) {
        throw new FlotillaError('BAD_REQUEST', `${name}: ${method} needs a value`)
      }
      kinds.set(name, own)
      series.add(seriesOf(push))
    }
    const names = new Set([...this.#held.keys(), ...kinds.keys()])
    if (names.size > PUSH_LIMITS.metrics || series.size > PUSH_LIMITS.series) {
      const { metrics, series: all } = PUSH_LIMITS
      throw new FlotillaError('TOO_LARGE', `more than ${metrics} metrics, or ${all} combinations of their labels`)
    }
  }

  #apply(push: Push): void {
    const labels = push.labels ?? {}
    const held = this.#of(push)
    const amount = amountOf(push)
    this.#series.add(seriesOf(push))
    if (held.kind === 'summary' || held.kind === 'histogram') held.metric.observe(labels, amount)
    else if (held.kind === 'counter') held.metric.inc(labels, amount)
    else if (push.method === 'set') held.metric.set(labels, amount)
    else held.metric.inc(labels, push.method === 'dec' ? -amount : amount)
  }

  #of(push: Push): Held {
    const known = this.#held.get(push.metric_name)
    if (known !== undefined) return known
    const labelNames = labelsOf(push)
    const options = {
      name: push.metric_name,
      help: (push.description ?? '') === '' ? 'Pushed.' : (push.description ?? ''),
      labelNames,
      registers: [this.#registry],
    }
    const held = this.#make(push.metric_type, options, labelNames.join())
    this.#held.set(push.metric_name, held)
    return held
  }

  #make(kind: Kind, options: Common, labels: string): Held {
    const { Counter, Gauge, Histogram, Summary } = this.#prom
    if (kind === 'counter') return { kind, metric: new Counter(options), labels }
    if (kind === 'gauge') return { kind, metric: new Gauge(options), labels }
    if (kind === 'histogram') return { kind, metric: new Histogram(options), labels }
    // As Python's: count and sum, no quantiles.
    return { kind, metric: new Summary({ ...options, percentiles: [] }), labels }
  }
}

/** What a metric writes on the page: one name twice, and Prometheus takes nothing of the whole page. */
function linesOf(name: string, kind: Kind): readonly string[] {
  if (kind === 'counter' || kind === 'gauge') return [name]
  const both = [name, `${name}_sum`, `${name}_count`]
  return kind === 'histogram' ? [...both, `${name}_bucket`] : both
}

function labelsOf({ labels }: Push): string[] {
  return Object.keys(labels ?? {}).toSorted()
}

function seriesOf(push: Push): string {
  return JSON.stringify([push.metric_name, ...labelsOf(push).map((label) => push.labels?.[label])])
}

/** Its senders name the number `amount` or `value`, as it happens. */
function amountOf({ arguments: given }: Push): number {
  return given?.amount ?? given?.value ?? 1
}
