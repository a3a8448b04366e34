import { expect, test } from 'vitest'
import { Output, type Sink, table } from './output.ts'

function make(columns?: number, env: Record<string, string> = {}) {
  const texts = { out: '', err: '' }
  const sink = (name: 'out' | 'err'): Sink => ({ write: (text) => void (texts[name] += String(text)), columns })
  return { texts, output: new Output(sink('out'), sink('err'), env) }
}

test('a table aligns its columns, by character, and leaves no blanks at line ends', () => {
  const { texts, output } = make()
  table(
    output,
    ['NODE', 'STATE', 'NOTE'],
    [
      ['erd1', '✓ in step', ''],
      ['a-long-name', { text: '✗ failed', colour: 'red' }, 'x'],
    ],
  )
  expect(texts.out).toBe('NODE         STATE      NOTE\nerd1         ✓ in step\na-long-name  ✗ failed   x\n')
})

test('a table without rows prints nothing', () => {
  const { texts, output } = make()
  table(output, ['A'], [])
  expect(texts.out).toBe('')
})

test('a cell is one line, without control characters', () => {
  const { texts, output } = make()
  table(output, ['A'], [['a\n\u001b[31mb']])
  expect(texts.out).toBe(`A\na ${String.raw`\u001b`}[31mb\n`)
})

test.for([
  [undefined, {}, false],
  [80, {}, true],
  [80, { NO_COLOR: '1' }, false],
  [80, { NO_COLOR: '' }, true],
  [80, { TERM: 'dumb' }, false],
] as const)('colours: columns %s, environment %o → %s', ([columns, env, coloured]) => {
  const { output } = make(columns, env)
  expect(output.paint('red', 'x') !== 'x').toBe(coloured)
})

test('progress is silent in a pipe, and on a terminal is wiped before the next line', () => {
  const pipe = make()
  pipe.output.progress('50 %')
  expect(pipe.texts.err).toBe('')
  const terminal = make(80)
  terminal.output.progress('50 %')
  terminal.output.print('done')
  expect(terminal.texts.err).toBe('\r\u001b[K50 %\r\u001b[K')
  expect(terminal.texts.out).toBe('done\n')
})

test('progress never wraps', () => {
  const { texts, output } = make(10)
  output.progress('0123456789abcdef')
  expect(texts.err).toBe('\r\u001b[K012345678')
})

test('json is one object on one line, with its kind', () => {
  const { texts, output } = make()
  output.json('status', { a: 1, kind: 'of something inside' })
  expect(texts.out).toBe('{"a":1,"kind":"status"}\n')
})
