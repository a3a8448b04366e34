import { expect, test } from 'vitest'
import { DEFAULT_STRATEGY, type Strategy } from '../rollout.ts'
import { strategyOf } from './strategy.ts'

test('what is given later counts more; the rest is the default', () => {
  expect(strategyOf({ wave: 2, soakMs: 0 }, { wave: 3 })).toEqual({ ...DEFAULT_STRATEGY, wave: 3, soakMs: 0 })
})

const SAMPLE = { path: '/x', status: 200, timeoutMs: 1000 }
const WINDOW = { days: [1], from: '08:00', to: '17:00' }

test.for<readonly [Partial<Strategy>, string]>([
  [{ canary: 0 }, 'canary must be'],
  [{ wave: 1.5 }, 'wave must be'],
  [{ maxUnavailable: 0 }, 'maxUnavailable must be'],
  [{ soakMs: -1 }, 'soakMs must be'],
  [{ gateTimeoutMs: 10 }, 'gateTimeoutMs must be'],
  [{ drainMs: Number.NaN }, 'drainMs must be'],
  [{ failedMax: -1 }, 'failedMax must be'],
  [{ drain: 'maybe' as 'auto' }, 'drain must be'],
  [{ freeze: [{ ...WINDOW, days: [7] }] }, 'numbers from 0, Sunday, to 6'],
  [{ freeze: [{ ...WINDOW, days: [] }] }, 'numbers from 0, Sunday, to 6'],
  [{ freeze: [{ ...WINDOW, to: '24:00' }] }, 'such as 09:30'],
  [{ freeze: Array.from({ length: 51 }, () => WINDOW) }, 'at most 50'],
  [{ samples: [{ ...SAMPLE, path: '//other/host' }] }, 'a path such as'],
  [{ samples: [{ ...SAMPLE, path: 'http://other' }] }, 'a path such as'],
  [{ samples: [{ ...SAMPLE, path: '/%2e%2e/manager/html' }] }, 'a path such as'],
  [{ samples: [{ ...SAMPLE, status: 42 }] }, 'status of a sample'],
  [{ samples: [{ ...SAMPLE, timeoutMs: 0 }] }, 'timeoutMs of a sample'],
  [{ samples: Array.from({ length: 21 }, () => SAMPLE) }, 'at most 20'],
])('%o is refused', ([given, message]) => {
  expect(() => strategyOf(given)).toThrow(message)
})
