import { FlotillaError } from '../errors.ts'
import { DEFAULT_STRATEGY, type FreezeWindow, type Sample, type Strategy } from '../rollout.ts'
import { leavesBase } from '../sample-path.ts'

/** Largest number of nodes of one rollout: its last commit removes a pin and a drain of each. */
export const NODES_MAX = 300
const DAY_MS = 86_400_000
const LIMITS = {
  nodes: 1000,
  freeze: 50,
  samples: 20,
  path: 2000,
  failed: 100_000,
  timeMs: 7 * DAY_MS,
  drainMs: 3_600_000,
}
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d$/

/** The settings that are given, over those before them, over the defaults. Throws `BAD_REQUEST`. */
export function strategyOf(...given: readonly Partial<Strategy>[]): Strategy {
  const strategy: Strategy = Object.assign({}, DEFAULT_STRATEGY, ...given)
  checkStrategy(strategy)
  return strategy
}

/** Throws `BAD_REQUEST`, naming the first setting that is not possible. */
function checkStrategy(strategy: Strategy): void {
  const { canary, wave, maxUnavailable, soakMs, gateTimeoutMs, drain, drainMs, failedMax, freeze, samples } = strategy
  within('canary', canary, 1, LIMITS.nodes)
  within('wave', wave, 1, LIMITS.nodes)
  within('maxUnavailable', maxUnavailable, 1, LIMITS.nodes)
  within('soakMs', soakMs, 0, LIMITS.timeMs)
  within('gateTimeoutMs', gateTimeoutMs, 1000, LIMITS.timeMs)
  within('drainMs', drainMs, 0, LIMITS.drainMs)
  within('failedMax', failedMax, 0, LIMITS.failed)
  if (!['auto', 'always', 'never'].includes(drain)) throw bad('drain must be auto, always or never')
  if (freeze.length > LIMITS.freeze) throw bad(`there are ${freeze.length} freeze windows; at most ${LIMITS.freeze}`)
  if (samples.length > LIMITS.samples) throw bad(`there are ${samples.length} samples; at most ${LIMITS.samples}`)
  for (const window of freeze) checkWindow(window)
  for (const sample of samples) checkSample(sample)
}

function checkWindow({ days, from, to }: FreezeWindow): void {
  if (days.length === 0 || days.some((day) => !Number.isInteger(day) || day < 0 || day > 6)) {
    throw bad('the days of a freeze window are numbers from 0, Sunday, to 6')
  }
  if (!TIME.test(from) || !TIME.test(to)) throw bad('a freeze window goes from one time such as 09:30 to another')
}

function checkSample({ path, status, timeoutMs }: Sample): void {
  if (path.length > LIMITS.path || leavesBase(path)) throw bad('a sample is a path such as /tabledap/x.csv?time')
  within('status of a sample', status, 100, 599)
  within('timeoutMs of a sample', timeoutMs, 100, 120_000)
}

function within(name: string, value: number, from: number, to: number): void {
  if (!Number.isInteger(value) || value < from || value > to)
    throw bad(`${name} must be a number from ${from} to ${to}`)
}

function bad(what: string): FlotillaError {
  return new FlotillaError('BAD_REQUEST', what)
}
