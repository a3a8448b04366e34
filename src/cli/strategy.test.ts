import { describe, expect, test } from 'vitest'
import { freezeText, parseFreeze, parseSample, strategyOf } from './strategy.ts'

const NONE = {
  rolling: false,
  allAtOnce: false,
  canary: undefined,
  wave: undefined,
  maxUnavailable: undefined,
  soak: undefined,
  gateTimeout: undefined,
  drain: undefined,
  drainTime: undefined,
  failedMax: undefined,
  freeze: [],
  sample: [],
}

describe('the options of a change', () => {
  test('leave it to the policy of the tree when none is given', () => {
    expect(strategyOf(NONE)).toBeUndefined()
  })

  test('ask for waves with --rolling, and with any setting alone', () => {
    expect(strategyOf({ ...NONE, rolling: true })).toEqual({})
    expect(strategyOf({ ...NONE, canary: '2', soak: '30s' })).toEqual({ canary: 2, soakMs: 30_000 })
    expect(strategyOf({ ...NONE, drain: 'never', drainTime: '0s', gateTimeout: '5m', failedMax: '0' })).toEqual({
      drain: 'never',
      drainMs: 0,
      gateTimeoutMs: 300_000,
      failedMax: 0,
    })
  })

  test('can take lists away', () => {
    expect(strategyOf({ ...NONE, freeze: ['none'], sample: ['none'] })).toEqual({ freeze: [], samples: [] })
  })

  test.for([
    [{ allAtOnce: true, rolling: true }, '--all-at-once excludes'],
    [{ allAtOnce: true, wave: '2' }, '--all-at-once excludes'],
    [{ canary: '0' }, '--canary takes a number from 1 on, not "0"'],
    [{ wave: '-1' }, '--wave takes a number from 1 on'],
    [{ failedMax: 'x' }, '--failed-max takes a number from 0 on'],
    [{ soak: '30' }, '--soak takes a time such as 30s'],
    [{ freeze: ['always'] }, '--freeze takes days and times'],
    [{ sample: ['tabledap/x.csv'] }, '--sample takes "PATH [STATUS [TEXT]]"'],
  ] as const)('are refused with the form to use: %j', ([given, message]) => {
    expect(() => strategyOf({ ...NONE, ...given })).toThrow(message)
  })
})

describe('a freeze window', () => {
  test.for([
    ['mon-fri 08:00-17:00', [1, 2, 3, 4, 5], 'mon-fri 08:00-17:00 UTC'],
    ['sat,sun 00:00-23:59', [0, 6], 'sun,sat 00:00-23:59 UTC'],
    ['fri-mon 22:00-06:00', [0, 1, 5, 6], 'sun,mon,fri,sat 22:00-06:00 UTC'],
    ['22:00-06:00', [0, 1, 2, 3, 4, 5, 6], 'every day 22:00-06:00 UTC'],
    ['Wed 12:00-13:00', [3], 'wed 12:00-13:00 UTC'],
  ] as const)('is read from %s, and written so that it can be read', ([text, days, written]) => {
    expect(parseFreeze(text).days).toEqual(days)
    expect(freezeText(parseFreeze(text))).toBe(written)
  })

  test.for(['mon', '8-17', 'mon 24:00-25:00', 'xyz 08:00-09:00', 'mon-tue-wed 08:00-09:00', '08:60-09:00', ''])(
    'is none in %j',
    (text) => {
      expect(() => parseFreeze(text)).toThrow('--freeze takes')
    },
  )
})

test('a sample is a path, with the status and the text that must come back', () => {
  const timeoutMs = 30_000
  expect(parseSample('/tabledap/x.csv?time')).toEqual({ path: '/tabledap/x.csv?time', status: 200, timeoutMs })
  expect(parseSample('/info/x/index.json 404')).toEqual({ path: '/info/x/index.json', status: 404, timeoutMs })
  expect(parseSample(' /x 200 two words ')).toEqual({ path: '/x', status: 200, contains: 'two words', timeoutMs })
})
