import { expect, test } from 'vitest'
import { FlotillaError } from '../core/errors.ts'
import type { LogFields, Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { supervise } from './supervise.ts'
import { aborted } from './waiting.ts'

interface Line {
  readonly level: string
  readonly message: string
  readonly fields: LogFields
}

function recorder(): { readonly log: Logger; readonly lines: Line[] } {
  const lines: Line[] = []
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      void lines.push({ level, message, fields })
  return { lines, log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') } }
}

/** Fails at every start, and notes when it was started. */
function failing(clock: VirtualClock, starts: number[], ranMs = 0): Service {
  return {
    name: 'failing',
    async run() {
      starts.push(clock.monotonicMs())
      await clock.sleep(ranMs)
      throw new FlotillaError('UNREACHABLE', 'nothing listens there')
    },
  }
}

const steady: Service = { name: 'steady', run: aborted }

test('a service that fails is started again after delays that double up to the limit', async () => {
  const clock = new VirtualClock()
  const starts: number[] = []
  const stop = new AbortController()
  const done = supervise([failing(clock, starts)], { clock, ...recorder(), random: () => 0, signal: stop.signal })
  await clock.advance(100_000)
  stop.abort()
  await done
  const delays = starts.slice(1).map((at, index) => at - (starts[index] ?? 0))
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
})

test('chance shortens a delay by up to a half', async () => {
  const clock = new VirtualClock()
  const starts: number[] = []
  const stop = new AbortController()
  const options = { clock, ...recorder(), random: () => 0.5, signal: stop.signal, maxDelayMs: 1000 }
  const done = supervise([failing(clock, starts)], options)
  await clock.advance(2500)
  stop.abort()
  await done
  expect(starts).toEqual([0, 188, 563, 1313, 2063])
})

test('the longer a service stays down the louder it is told, and the end of it only once', async () => {
  const clock = new VirtualClock()
  const { log, lines } = recorder()
  const stop = new AbortController()
  const done = supervise([failing(clock, [])], { clock, log, random: () => 0, signal: stop.signal, maxDelayMs: 2000 })
  await clock.advance(11_000)
  stop.abort()
  await done
  expect(lines.map(({ level }) => level)).toEqual(['info', 'info', 'warn', 'error', 'debug', 'debug', 'debug', 'debug'])
  expect(lines[2]?.fields).toEqual({
    service: 'failing',
    delayMs: 1000,
    code: 'UNREACHABLE',
    error: 'nothing listens there',
  })
})

test('after a good stretch the delays start small again', async () => {
  const clock = new VirtualClock()
  const starts: number[] = []
  const stop = new AbortController()
  const done = supervise([failing(clock, starts, 60_000)], {
    clock,
    ...recorder(),
    random: () => 0,
    signal: stop.signal,
  })
  await clock.advance(200_000)
  stop.abort()
  await clock.advance(0)
  await clock.advance(10_000)
  await done
  expect(starts).toEqual([0, 60_250, 120_500, 180_750])
})

test('one that fails does not disturb the others, and one that has finished is left alone', async () => {
  const clock = new VirtualClock()
  const stop = new AbortController()
  let finished = 0
  let running = true
  const short: Service = { name: 'short', run: async () => void finished++ }
  const watched: Service = {
    name: 'watched',
    async run(signal) {
      await aborted(signal)
      running = false
    },
  }
  const services = [failing(clock, []), short, watched]
  const done = supervise(services, { clock, ...recorder(), random: () => 0, signal: stop.signal })
  await clock.advance(60_000)
  expect(finished).toBe(1)
  expect(running).toBe(true)
  stop.abort()
  await done
  expect(running).toBe(false)
})

test('the end of a service after the signal is no failure, whatever it says', async () => {
  const clock = new VirtualClock()
  const { log, lines } = recorder()
  const stop = new AbortController()
  const rude: Service = {
    name: 'rude',
    async run(signal) {
      await aborted(signal)
      throw new Error('cut short')
    },
  }
  const done = supervise([rude, steady], { clock, log, random: () => 0, signal: stop.signal })
  await clock.advance(10)
  stop.abort()
  await done
  expect(lines).toEqual([])
})

test('a service that does not stop is named and left behind after ten seconds', async () => {
  const clock = new VirtualClock()
  const { log, lines } = recorder()
  const stop = new AbortController()
  const deaf: Service = { name: 'deaf', run: async () => await new Promise(() => undefined) }
  let ended = false
  const done = (async () => {
    await supervise([deaf, steady], { clock, log, random: () => 0, signal: stop.signal })
    ended = true
  })()
  stop.abort()
  await clock.advance(9_999)
  expect(ended).toBe(false)
  await clock.advance(1)
  await done
  expect(lines).toEqual([{ level: 'error', message: 'service did not stop in time', fields: { service: 'deaf' } }])
})

test('with everything finished it resolves, although nobody stopped it', async () => {
  const clock = new VirtualClock()
  const short: Service = { name: 'short', run: async () => undefined }
  await supervise([short], { clock, ...recorder(), random: () => 0, signal: new AbortController().signal })
})
