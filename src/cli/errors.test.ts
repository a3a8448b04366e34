import { expect, test } from 'vitest'
import { ERRORS, type ErrorCode, FlotillaError } from '../core/errors.ts'
import { renderError } from './errors.ts'
import { Output, type Sink } from './output.ts'

function render(error: unknown, form: { json?: boolean; debug?: boolean; columns?: number } = {}) {
  let text = ''
  const err: Sink = { write: (part) => void (text += String(part)), ...(form.columns && { columns: form.columns }) }
  const output = new Output(err, err, {})
  const code = renderError(error, output, { json: form.json ?? false, debug: form.debug ?? false })
  return { code, text }
}

test('says what happened, where, why, what to do next and where to read more', () => {
  const { code, text } = render(
    new FlotillaError('PREPARE_FAILED', 'the configuration could not be built', {
      node: 'erd2',
      file: 'datasets.d/b.xml',
      line: 3,
      column: 12,
      cause: new Error('a tag is not closed'),
      hint: 'Mend the file.',
    }),
  )
  expect(code).toBe(4)
  expect(text).toBe(`error: the configuration could not be built
  at erd2, datasets.d/b.xml:3:12
  why: a tag is not closed
  → Mend the file.
  docs/reference/errors.md#PREPARE_FAILED
`)
})

test('problems stand before the error, each with its place', () => {
  const problems = [
    {
      severity: 'error',
      code: 'ID_DUPLICATE',
      file: 'b.xml',
      line: 3,
      column: 2,
      message: 'also in a.xml:3',
      hint: 'Rename one.',
    },
  ] as const
  const { text } = render(new FlotillaError('CHECK_FAILED', 'datasets.d has 1 error', { problems }))
  expect(text).toMatch(
    /^b\.xml:3:2: error: also in a\.xml:3 \[ID_DUPLICATE\]\n {4}→ Rename one\.\nerror: datasets\.d has 1 error/,
  )
})

test.for(Object.keys(ERRORS) as ErrorCode[])('%s has its exit code, and a page', (code) => {
  const { code: exit, text } = render(new FlotillaError(code, 'm'))
  expect(exit).toBe(ERRORS[code].exit)
  expect(text).toContain(`docs/reference/errors.md#${code}`)
})

test('an unexpected error is one line, with the way to more; --debug shows the stack', () => {
  const { code, text } = render(new TypeError('x is not a function\n    at foo'))
  expect(code).toBe(1)
  expect(text).toBe(
    'error: x is not a function\n  → This was not expected. Run it again with --debug to see where it comes from.\n',
  )
  expect(render(new TypeError('boom'), { debug: true }).text).toContain('errors.test.ts')
})

test('an error of the file system is told in words', () => {
  const error = Object.assign(new Error('EACCES: permission denied, open'), {
    code: 'EACCES',
    path: '/x/y',
    syscall: 'open',
  })
  const { code, text } = render(error)
  expect(code).toBe(1)
  expect(text).toBe(
    'error: /x/y: permission denied\n  → Look at the owner and the mode of the file and of the folders above it.\n',
  )
})

test('text from elsewhere cannot drive the terminal', () => {
  const { text } = render(new FlotillaError('NOT_FOUND', 'node \u001b[2Jevil\u0007', { hint: 'a\u001b]0;b' }))
  expect(text).not.toMatch(/[\u001b\u0007]/)
  expect(text).toContain(String.raw`node \u001b[2Jevil\u0007`)
})

test('colours only where the reader is a terminal', () => {
  expect(render(new FlotillaError('NOT_FOUND', 'm')).text).not.toContain('\u001b')
  expect(render(new FlotillaError('NOT_FOUND', 'm'), { columns: 80 }).text).toContain('\u001b[31merror:')
})

test('as JSON it is one object with kind, code, message, place, hint and problems', () => {
  const problems = [{ severity: 'error', code: 'EMPTY', file: 'a.xml', message: 'm' }] as const
  const { text } = render(new FlotillaError('CHECK_FAILED', 'm', { file: 'a', line: 1, hint: 'h', problems }), {
    json: true,
  })
  expect(JSON.parse(text)).toEqual({
    kind: 'error',
    code: 'CHECK_FAILED',
    message: 'm',
    file: 'a',
    line: 1,
    hint: 'h',
    problems,
    page: 'docs/reference/errors.md#CHECK_FAILED',
  })
  expect(JSON.parse(render(new Error('x'), { json: true }).text)).toMatchObject({ kind: 'error', code: 'INTERNAL' })
})
